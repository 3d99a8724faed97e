import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from './folder-failure';

/** Tells this process from an earlier one with the same number, as every container has its process 1. */
const PROCESS = randomBytes(6).toString('hex');
const NAME = /^(?<host>.+)~(?<pid>[0-9]+)~(?<process>[0-9a-f]{12})~[0-9]+\.partial$/;
/** A write takes milliseconds; a file that another machine left that long ago is no longer being written. */
const FOREIGN_LEFTOVER_MS = 60 * 60 * 1_000;
const HOST = hostname();

const flush = promisify(fsync);

let counter = 0;

/**
 * Files under construction, in a folder of their own on the same file system: no reader sees half an object, and a
 * file that a crash left behind is recognised by its name.
 *
 * Only the flush goes through the thread pool: what else is done here changes memory, takes microseconds, and would cost ten
 * times as much there.
 */
export class PartialFiles {
  constructor(private readonly dir: string) {}

  async prepare(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
  }

  /** Writes a read-only file, flushed to disk, and returns its path. The caller links it and then removes it. */
  async write(bytes: Uint8Array): Promise<string> {
    counter += 1;
    const path = join(this.dir, `${HOST}~${process.pid}~${PROCESS}~${counter}.partial`);
    const fd = openSync(path, 'wx', 0o600);
    try {
      writeFileSync(fd, bytes);
      // Explicitly, because the umask would reduce a mode given to open.
      fchmodSync(fd, 0o400);
      await flush(fd);
    } catch (error) {
      this.remove(path);
      throw error;
    } finally {
      closeSync(fd);
    }
    return path;
  }

  remove(path: string): void {
    try {
      unlinkSync(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  /**
   * Removes what ended processes left behind.
   * @returns the number removed. The writer of a file that was mistaken for a leftover notices and writes it again.
   */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.dir)) {
      const path = join(this.dir, name);
      if (!(await isLeftover(name, path))) continue;
      this.remove(path);
      removed += 1;
    }
    return removed;
  }
}

async function isLeftover(name: string, path: string): Promise<boolean> {
  const writer = NAME.exec(name)?.groups;
  if (writer === undefined) return false;
  if (writer['process'] === PROCESS) return false;
  if (writer['host'] === HOST) {
    const pid = Number(writer['pid']);
    return pid === process.pid || !exists(pid);
  }
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > FOREIGN_LEFTOVER_MS;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
