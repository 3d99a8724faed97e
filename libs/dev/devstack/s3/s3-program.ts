import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { userCache } from '../process/user-cache';

/** versitygw: S3 with versioning and object lock over a folder. scripts/install-s3-server.sh builds the same version. */
export const S3_SERVER_VERSION = '1.8.0';

/** Where scripts/install-s3-server.sh puts the program: in the user's cache, outside any checkout. */
export function s3ServerProgram(): string {
  return join(userCache(), `versitygw-${S3_SERVER_VERSION}`, 'versitygw');
}

/** Why a real S3 server cannot be started here, or null when it can. */
export function s3ServerMissing(): string | null {
  const program = s3ServerProgram();
  return existsSync(program)
    ? null
    : `the S3 server versitygw ${S3_SERVER_VERSION} is not installed (scripts/install-s3-server.sh builds it with go)`;
}
