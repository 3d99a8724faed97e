import { open, rename, writeFile } from 'node:fs/promises';

/** Writes a file that only its owner may read, whole or not at all. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await writeWhole(file, text, 0o600);
}

export async function writePublic(file: string, text: string): Promise<void> {
  await writeWhole(file, text, 0o644);
}

async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const partial = `${file}.partial`;
  await writeFile(partial, text, { mode });
  const handle = await open(partial, 'r');
  try {
    await handle.sync();
    // The mode of writeFile applies to new files only, and the umask reduces it.
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
  await rename(partial, file);
}
