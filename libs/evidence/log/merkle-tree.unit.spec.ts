import fc from 'fast-check';
import {
  consistencyPath,
  emptyRoot,
  isConsistent,
  leafHash,
  MAX_PATH,
  nodeHash,
  treeRoot,
  type Subtree,
} from './merkle-tree';

const leafAt = (n: number): Uint8Array => leafHash(Buffer.from(`event ${n}`));

/** RFC 6962 section 2.1, word for word. */
function mth(from: number, to: number): Uint8Array {
  if (from === to) return emptyRoot();
  if (to - from === 1) return leafAt(from);
  const middle = from + split(to - from);
  return nodeHash(mth(from, middle), mth(middle, to));
}

/** RFC 9162 section 2.1.4.1, word for word, of the leaves `from` to `to`. */
function subproof(m: number, from: number, to: number, whole: boolean): Uint8Array[] {
  const n = to - from;
  if (m === n) return whole ? [] : [mth(from, to)];
  const k = split(n);
  return m <= k
    ? [...subproof(m, from, from + k, whole), mth(from + k, to)]
    : [...subproof(m - k, from + k, to, false), mth(from, from + k)];
}

function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

const subtree: Subtree = (level, index) => Promise.resolve(mth(index * 2 ** level, (index + 1) * 2 ** level));
const tree = (size: number) => ({ size, root: mth(0, size) });

describe('a proof of consistency', () => {
  it('is that of RFC 9162 for all sizes up to 40', async () => {
    for (let to = 0; to <= 40; to++) {
      for (let from = 0; from <= to; from++) {
        const path = await consistencyPath(subtree, from, to);
        expect(path).toEqual(from === 0 ? [] : subproof(from, 0, to, true));
        expect(isConsistent(tree(from), tree(to), path)).toBe(true);
      }
    }
  });

  it('holds for no other trees, and with no other hashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.nat(),
        fc.nat(),
        async (a, b, which, bit) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b) + 1];
          const path = await consistencyPath(subtree, from, to);
          const other = (hash: Uint8Array): Uint8Array => {
            const bytes = Uint8Array.from(hash);
            bytes[bit % 32] = (bytes[bit % 32] ?? 0) ^ (1 << (bit % 8));
            return bytes;
          };
          const at = which % path.length;
          const forged = path.map((hash, i) => (i === at ? other(hash) : hash));
          expect(isConsistent(tree(from), tree(to), path)).toBe(true);
          expect(isConsistent(tree(from), tree(to), forged)).toBe(false);
          expect(isConsistent({ size: from, root: other(tree(from).root) }, tree(to), path)).toBe(false);
          expect(isConsistent(tree(from), { size: to, root: other(tree(to).root) }, path)).toBe(false);
          expect(isConsistent(tree(from), tree(to), path.slice(0, -1))).toBe(false);
          expect(isConsistent(tree(from), tree(to), [...path, leafAt(0)])).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is nothing between equal sizes, and from a tree without leaves', () => {
    expect(isConsistent(tree(7), tree(7), [])).toBe(true);
    expect(isConsistent(tree(7), tree(7), [leafAt(0)])).toBe(false);
    expect(isConsistent(tree(7), { size: 7, root: leafAt(0) }, [])).toBe(false);
    expect(isConsistent(tree(0), tree(7), [])).toBe(true);
    expect(isConsistent(tree(0), tree(7), [leafAt(0)])).toBe(false);
    expect(isConsistent({ size: 0, root: leafAt(0) }, tree(7), [])).toBe(false);
    expect(isConsistent(tree(0), { size: 0, root: leafAt(0) }, [])).toBe(false);
  });

  it.each([
    ['a tree that is smaller than before', 8, 7],
    ['a negative size', -1, 7],
    ['half an event', 0.5, 7],
    ['a size beyond exact integers', 7, 2 ** 53],
  ])('is refused for %s', (_, from, to) => {
    const root = leafAt(0);
    expect(isConsistent({ size: from, root }, { size: to, root }, [])).toBe(false);
    expect(isConsistent({ size: from, root }, { size: to, root }, [root])).toBe(false);
  });

  it('is refused with a hash of another length, and ends with the path however large the trees are said to be', () => {
    const root = leafAt(0);
    const large = { size: Number.MAX_SAFE_INTEGER, root };
    expect(isConsistent(tree(1), tree(2), [new Uint8Array(31)])).toBe(false);
    expect(isConsistent(tree(3), tree(7), [new Uint8Array(33)])).toBe(false);
    const paths = Array.from({ length: MAX_PATH + 2 }, (_, n) => Array.from({ length: n }, () => root));
    expect(paths.some((path) => isConsistent({ size: 3, root }, large, path))).toBe(false);
  });

  it('is read from perfect subtrees alone, also of a tree with 2^40 leaves', async () => {
    // Every leaf is the same, so that a subtree's hash depends on its level only.
    const levels = [leafAt(0)];
    const same: Subtree = (level) => {
      while (levels.length <= level)
        levels.push(nodeHash(...([levels.at(-1), levels.at(-1)] as [Uint8Array, Uint8Array])));
      return Promise.resolve(levels[level] as Uint8Array);
    };
    const [from, to] = [2 ** 33 + 5, 2 ** 40 - 1];
    const path = await consistencyPath(same, from, to);
    const state = async (size: number) => ({ size, root: await treeRoot(same, size) });
    expect(isConsistent(await state(from), await state(to), path)).toBe(true);
    expect(isConsistent(await state(from + 1), await state(to), path)).toBe(false);
    await expect(consistencyPath(same, to, from)).rejects.toThrow('does not begin');
  });
});
