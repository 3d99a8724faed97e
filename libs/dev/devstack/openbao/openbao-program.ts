import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { userCache } from '../process/user-cache';

/** OpenBao, the fork of Vault under MPL 2.0. scripts/install-openbao.sh fetches the same version. */
export const OPENBAO_VERSION = '2.7.2';

/** Where scripts/install-openbao.sh puts the program: in the user's cache, outside any checkout. */
export function openBaoProgram(): string {
  return join(userCache(), `openbao-${OPENBAO_VERSION}`, 'bao');
}

/** Why a real OpenBao server cannot be started here, or null when it can. */
export function openBaoMissing(): string | null {
  return existsSync(openBaoProgram())
    ? null
    : `OpenBao ${OPENBAO_VERSION} is not installed (scripts/install-openbao.sh fetches it with pip)`;
}
