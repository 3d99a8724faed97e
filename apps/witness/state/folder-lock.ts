import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { WitnessFolderError } from '../witness-folder.error';

/** Locks at open(2) on macOS; Linux has no such flag. */
const O_EXLOCK = 0x20;
/** Exit code of flock(1) when another process has the lock. */
const HELD = 1;

/**
 * Locks a file for this process until it ends or closes it, against every other process of this machine (flock(2)), so
 * that nothing is left behind by a crash. Node.js has no such call: flock(1) makes it on the descriptor that it inherits,
 * and the lock stays with ours.
 * @throws WitnessFolderError `in_use`
 */
export async function lockFile(path: string): Promise<FileHandle> {
  const isLinux = process.platform !== 'darwin';
  let handle: FileHandle;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT;
    handle = await open(path, isLinux ? flags : flags | constants.O_NONBLOCK | O_EXLOCK, 0o600);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EAGAIN') throw inUse(path);
    throw new WitnessFolderError('state_refused', `${path} cannot be opened (${code}).`, { path }, { cause });
  }
  if (!isLinux) return handle;
  try {
    const child = spawn('flock', ['--exclusive', '--nonblock', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', handle.fd],
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code === HELD) throw inUse(path);
    if (code !== 0)
      throw new WitnessFolderError('state_refused', `${path} cannot be locked (flock ended with ${code}).`);
    return handle;
  } catch (cause) {
    await handle.close();
    if (cause instanceof WitnessFolderError) throw cause;
    throw new WitnessFolderError(
      'state_refused',
      `${path} cannot be locked: the program flock (util-linux) cannot be run, and without it two witnesses could use one state.`,
      { path },
      { cause },
    );
  }
}

function inUse(path: string): WitnessFolderError {
  return new WitnessFolderError(
    'in_use',
    `Another process has locked ${path}: a witness runs on this folder. Two with one key could each cosign another view of a log.`,
    { path },
  );
}
