import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ROW_KEY_BYTES, RowKey } from '#platform/event-store';
import { writePrivate } from '../certificates/private-file';
import { DevstackError } from '../devstack.error';

/** Makes the key of the kernel's rows (KERNEL_ROW_KEY_FILE) once, and returns the file. */
export async function openRowKey(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (kept === undefined) {
    await writePrivate(file, `${randomBytes(ROW_KEY_BYTES).toString('base64')}\n`);
    return file;
  }
  try {
    RowKey.parse(kept, '');
  } catch (cause) {
    throw new DevstackError(
      'state_broken',
      `${file} is no key of the database's rows; restore it, or choose another folder with --state.`,
      { file },
      { cause },
    );
  }
  return file;
}
