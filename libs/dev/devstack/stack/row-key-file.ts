import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ROW_KEY_BYTES } from '#platform/event-store';
import { writePrivate } from '../certificates/private-file';

/** Makes the key of the kernel's rows (KERNEL_ROW_KEY_FILE) once, and returns the file. */
export async function openRowKey(file: string): Promise<string> {
  if (!existsSync(file)) await writePrivate(file, `${randomBytes(ROW_KEY_BYTES).toString('base64')}\n`);
  return file;
}
