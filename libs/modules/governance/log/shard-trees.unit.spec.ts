import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { leafHash, nodeHash, rootOf, isConsistent } from '#evidence';
import { ShardTrees } from './shard-trees';

const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const leafAt = (n: number) => leafHash(Buffer.from(`event ${n}`));

/** RFC 6962 section 2.1, word for word. */
function mth(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

describe('the tree of a shard', () => {
  const reads: number[] = [];
  const trees = new ShardTrees(async (_, afterSeq, limit) => {
    reads.push(limit);
    return Promise.resolve(Array.from({ length: limit }, (_, i) => leafAt(afterSeq + i)));
  });

  it('has the root of RFC 6962, and paths that lead to it, for any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_500 }), fc.nat(), async (size, n) => {
        const index = n % size;
        const { root, paths } = await trees.proofs(0, size, [index]);
        const leaves = Array.from({ length: size }, (_, i) => leafAt(i));
        expect(Buffer.from(root).equals(Buffer.from(mth(leaves)))).toBe(true);
        const proof = { index, size, leaf: leafAt(index), path: paths[0] as Uint8Array[] };
        expect(rootOf(proof)).toEqual(root);
        // Not with another leaf, at another index, or in another tree.
        expect(rootOf({ ...proof, leaf: leafAt(index + 1) })).not.toEqual(root);
        if (size > 1) expect(rootOf({ ...proof, index: (index + 1) % size })).not.toEqual(root);
        expect(rootOf({ ...proof, path: [...proof.path, leafAt(0)] })).not.toEqual(root);
        expect(rootOf({ ...proof, index: size })).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it('continues each of its earlier sizes, as a proof shows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_500 }), fc.nat(), async (size, n) => {
        const from = 1 + (n % size);
        const [earlier, later] = [await trees.proofs(0, from, []), await trees.proofs(0, size, [])];
        const proof = await trees.consistency(0, from, size);
        expect(isConsistent({ size: from, root: earlier.root }, { size, root: later.root }, proof)).toBe(
          true,
        );
        expect(isConsistent({ size: from, root: later.root }, { size, root: earlier.root }, proof)).toBe(
          from === size,
        );
      }),
      { numRuns: 40 },
    );
  });

  it('reads each full part once', async () => {
    reads.length = 0;
    await trees.proofs(7, 10_000, [3, 5, 9_999]);
    const first = reads.reduce((sum, count) => sum + count, 0);
    expect(first).toBeLessThan(10_000 + 3 * 256);
    reads.length = 0;
    await trees.proofs(7, 10_100, [3]);
    expect(reads.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3 * 256);
  });

  it('does not prove what is not there', async () => {
    const short = new ShardTrees(async () => Promise.resolve([leafAt(0)]));
    await expect(short.proofs(0, 2, [0])).rejects.toThrow('has 1 of 2 events');
  });
});
