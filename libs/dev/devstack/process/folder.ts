import { chmod, mkdir, stat } from 'node:fs/promises';

/**
 * Makes a folder of the development stack, and mends its mode when it is another. The umask must not decide what PostgreSQL's
 * account can reach (077 takes it away) or what others can write (000 gives it).
 */
export async function makeFolder(dir: string, mode: 0o700 | 0o755): Promise<void> {
  await mkdir(dir, { recursive: true, mode });
  if (((await stat(dir)).mode & 0o777) !== mode) await chmod(dir, mode);
}
