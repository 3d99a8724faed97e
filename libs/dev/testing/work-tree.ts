import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programFolder, workTree } from '#dev/devstack';

export { workTree };

let built: Promise<string> | undefined;

/**
 * The build that whole processes are started from: the one that this program is part of (benchmarks), or for tests,
 * which run from the sources, the newest. It is made when the sources changed since; finding it up to date takes
 * milliseconds.
 */
export async function ensureBuilt(): Promise<string> {
  if (programFolder() !== workTree()) return programFolder();
  built ??= promisify(execFile)(process.execPath, [
    join(workTree(), 'scripts', 'prepare.mjs'),
    '--no-install',
  ]).then(({ stdout }) => stdout.trim());
  return await built;
}
