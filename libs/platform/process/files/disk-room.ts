import { statfs } from 'node:fs/promises';

/** Below this a disk counts as full: PostgreSQL needs 16 MiB at once for its next file of log, beside what it flushes. */
export const LEAST_FREE_BYTES = 32 * 1024 * 1024;
const MIB = 1024 * 1024;

/** Why nothing can be written into a folder for want of room, in one sentence; null where there is room. */
export async function diskProblem(folder: string): Promise<string | null> {
  let disk;
  try {
    disk = await statfs(folder);
  } catch (error) {
    return `The disk of ${folder} cannot be examined (${(error as NodeJS.ErrnoException).code}).`;
  }
  const free = disk.bavail * disk.bsize;
  if (free < LEAST_FREE_BYTES) {
    return `The disk of ${folder} is full: ${Math.floor(free / MIB)} MiB are free, ${LEAST_FREE_BYTES / MIB} MiB are needed; make room.`;
  }
  // File systems that make them as needed count none.
  if (disk.files > 0 && disk.ffree === 0) {
    return `The disk of ${folder} takes no more files: all its ${disk.files} inodes are in use; make room.`;
  }
  return null;
}
