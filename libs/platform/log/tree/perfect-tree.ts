import { nodeHash } from '#evidence';

/** The hashes of every level over a number of hashes that is a power of two: the given ones first, the root last. */
export function perfectLevels(hashes: readonly Uint8Array[]): Uint8Array[][] {
  const levels = [[...hashes]];
  for (let below = hashes; below.length > 1; below = levels.at(-1) as Uint8Array[]) {
    const level: Uint8Array[] = [];
    for (let i = 0; i < below.length; i += 2) {
      level.push(nodeHash(below[i] as Uint8Array, below[i + 1] as Uint8Array));
    }
    levels.push(level);
  }
  return levels;
}

export function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      above.push(nodeHash(level[i] as Uint8Array, level[i + 1] as Uint8Array));
    }
    level = above;
  }
  return level[0] as Uint8Array;
}
