import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { userCache } from '#dev/devstack';

/** As scripts/install-image-tools.sh fetches them. */
const HADOLINT = '2.15.1';
const SYFT = '1.18.1';

/** Where scripts/install-image-tools.sh puts hadolint and syft. */
export const imageTools = (): string => join(userCache(), `image-tools-${HADOLINT}-${SYFT}`);

/** Why a Dockerfile cannot be judged and an image not listed here, or null when they can. */
export function imageToolsMissing(): string | null {
  return existsSync(join(imageTools(), 'syft'))
    ? null
    : `hadolint ${HADOLINT} and syft ${SYFT} are not installed (scripts/install-image-tools.sh fetches them with pip)`;
}
