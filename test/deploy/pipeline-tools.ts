import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userCache } from '#dev/devstack';
import { workTree } from '#dev/testing';

/** Where scripts/install-pipeline-tools.sh puts check-jsonschema and gitlab-ci-local; undefined where they are not. */
export function pipelineLintTools(): string | undefined {
  const digest = createHash('sha256');
  for (const name of ['lint.txt', 'package-lock.json'])
    digest.update(readFileSync(join(workTree(), 'ci/tools', name)));
  const folder = join(userCache(), `pipeline-lint-${digest.digest('hex').slice(0, 12)}`);
  return existsSync(join(folder, 'whole')) ? join(folder, 'bin') : undefined;
}

export function pipelineLintToolsMissing(): string | null {
  return pipelineLintTools() === undefined
    ? 'check-jsonschema and gitlab-ci-local are not installed (scripts/install-pipeline-tools.sh lint)'
    : null;
}

/** As scripts/install-pipeline-tools.sh builds them. */
const COSIGN = '3.1.3';
const CRANE = '0.22.1';

/** Folders of cosign and of crane, which is a registry of images. */
export function imageSigningTools(): { cosign: string; crane: string } {
  return {
    cosign: join(userCache(), `pipeline-cosign-${COSIGN}/bin`),
    crane: join(userCache(), `pipeline-crane-${CRANE}/bin`),
  };
}

export function imageSigningToolsMissing(): string | null {
  const { cosign, crane } = imageSigningTools();
  return [cosign, crane].every((folder) => existsSync(join(folder, '../whole')))
    ? null
    : `cosign ${COSIGN} and crane ${CRANE} are not installed (scripts/install-pipeline-tools.sh image registry)`;
}
