import { opendir } from 'node:fs/promises';

export interface FolderEntry {
  name: string;
  isDirectory: boolean;
}

/** Names held at once, some 10 MB. A directory with more is read again for each further batch. */
export const BATCH_NAMES = 65_536;

/**
 * The entries of a directory in the order of their keys: a directory sorts as its name with a slash.
 * A directory of any size takes the memory of one batch; it is read once per batch.
 */
export async function* sortedEntries(
  dir: string,
  wanted: (entry: FolderEntry) => boolean,
  batchNames = BATCH_NAMES,
): AsyncGenerator<FolderEntry> {
  let last: string | undefined;
  for (;;) {
    const { entries, complete } = await smallestBehind(dir, last, wanted, batchNames);
    yield* entries;
    const end = entries.at(-1);
    if (complete || end === undefined) return;
    last = sortName(end);
  }
}

/** The first `limit` entries after `last`, and whether these were all. */
async function smallestBehind(
  dir: string,
  last: string | undefined,
  wanted: (entry: FolderEntry) => boolean,
  limit: number,
): Promise<{ entries: FolderEntry[]; complete: boolean }> {
  let entries: FolderEntry[] = [];
  let complete = true;
  const keepSmallest = (): void => {
    entries.sort((a, b) => (sortName(a) < sortName(b) ? -1 : 1));
    if (entries.length <= limit) return;
    complete = false;
    entries = entries.slice(0, limit);
  };
  for await (const found of await opendir(dir, { bufferSize: 1_024 })) {
    const entry = { name: found.name, isDirectory: found.isDirectory() };
    if (last !== undefined && sortName(entry) <= last) continue;
    if (!wanted(entry)) continue;
    entries.push(entry);
    // Sorting once per doubling costs little; sorting at each entry would not.
    if (entries.length >= 2 * limit) keepSmallest();
  }
  keepSmallest();
  return { entries, complete };
}

function sortName(entry: FolderEntry): string {
  return entry.isDirectory ? `${entry.name}/` : entry.name;
}
