import { sha256 } from '#evidence-crypto';
import { sameBytes } from '../json/same-bytes';

/** The Merkle tree of a shard (RFC 6962 section 2.1): its leaves are the canonical bytes of its events, in order. */

const [LEAF, NODE] = [0x00, 0x01];
/** Longest audit path: that of a tree with 2^53 leaves. */
export const MAX_PATH = 53;

/** Number of leaves of a tree, and its root. */
export interface TreeState {
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
}

/** The root of a tree without leaves (RFC 6962 section 2.1). */
export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array());
}

export function leafHash(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(data.length + 1);
  input[0] = LEAF;
  input.set(data, 1);
  return sha256(input);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(65);
  input[0] = NODE;
  input.set(left, 1);
  input.set(right, 33);
  return sha256(input);
}

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2), or null when the path does not fit a leaf at
 * that index of a tree of that size.
 */
export function rootOf({
  index,
  size,
  leaf,
  path,
}: {
  index: number;
  size: number;
  leaf: Uint8Array;
  path: readonly Uint8Array[];
}): Uint8Array | null {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return null;
  // Not with shifts: those have 32 bits.
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0 || sibling.length !== 32) return null;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : null;
}

/**
 * Whether a proof shows that the first tree is the beginning of the second (RFC 9162 section 2.1.4.2). Between equal
 * sizes, and from a tree without leaves, there is nothing to prove: the path is empty then, and the roots are compared
 * with each other, or with that of no leaves.
 */
export function isConsistent(first: TreeState, second: TreeState, path: readonly Uint8Array[]): boolean {
  if (!isSize(first.size) || !isSize(second.size) || first.size > second.size) return false;
  if (first.size === 0 && !sameBytes(first.root, emptyRoot())) return false;
  if (first.size === second.size) return path.length === 0 && sameBytes(first.root, second.root);
  if (first.size === 0) return path.length === 0;
  // Not with shifts: those have 32 bits.
  let node = first.size - 1;
  let last = second.size - 1;
  while (node % 2 === 1) {
    node = (node - 1) / 2;
    last = Math.floor(last / 2);
  }
  // A first tree that is a perfect subtree of the second is where the path starts; otherwise the path says where.
  const [start, ...rest] = node === 0 ? [first.root, ...path] : path;
  if (start?.length !== 32) return false;
  let [before, after] = [start, start];
  for (const hash of rest) {
    if (last === 0 || hash.length !== 32) return false;
    if (node % 2 === 1 || node === last) {
      before = nodeHash(hash, before);
      after = nodeHash(hash, after);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      after = nodeHash(after, hash);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameBytes(before, first.root) && sameBytes(after, second.root);
}

/** Hashes of perfect subtrees: the one at `level` with the leaves from `index * 2^level` on. */
export type Subtree = (level: number, index: number) => Promise<Uint8Array>;

/** The root of the first `size` leaves (RFC 6962 section 2.1). */
export async function treeRoot(subtree: Subtree, size: number): Promise<Uint8Array> {
  return rangeHash(subtree, 0, size);
}

/** The audit path of a leaf in the tree of the first `size` leaves, from the leaf's sibling up (section 2.1.1). */
export async function inclusionPath(subtree: Subtree, index: number, size: number): Promise<Uint8Array[]> {
  const path: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    const right = index >= middle;
    path.unshift(await rangeHash(subtree, right ? from : middle, right ? middle : to));
    [from, to] = right ? [middle, to] : [from, middle];
  }
  return path;
}

/**
 * The proof that the tree of the first `from` leaves is the beginning of the one of the first `to` (RFC 9162 section
 * 2.1.4.1); empty when one of them has no leaves, or both have as many.
 */
export async function consistencyPath(subtree: Subtree, from: number, to: number): Promise<Uint8Array[]> {
  if (!isSize(from) || !isSize(to) || from > to) {
    throw new RangeError(`a tree of ${to} leaves does not begin with one of ${from}`);
  }
  const path: Uint8Array[] = [];
  if (from === 0 || from === to) return path;
  let [low, high] = [0, to];
  while (from !== high) {
    const middle = low + splitOf(high - low);
    const right = from > middle;
    path.unshift(await rangeHash(subtree, right ? low : middle, right ? middle : high));
    [low, high] = right ? [middle, high] : [low, middle];
  }
  // Who verifies has the first tree's root, which is this hash when it has no other parts.
  if (low > 0) path.unshift(await rangeHash(subtree, low, high));
  return path;
}

/** Hash of a range of leaves; `from` is a multiple of the largest power of two below the count. */
async function rangeHash(subtree: Subtree, from: number, to: number): Promise<Uint8Array> {
  const count = to - from;
  if (count === 0) return emptyRoot();
  const level = Math.log2(count);
  if (Number.isInteger(level)) return subtree(level, from / count);
  const middle = from + splitOf(count);
  const [left, right] = [await rangeHash(subtree, from, middle), await rangeHash(subtree, middle, to)];
  return nodeHash(left, right);
}

/** The largest power of two below a count of at least 2. */
function splitOf(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}
