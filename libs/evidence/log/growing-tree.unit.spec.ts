import { sha256 } from '#evidence-crypto';
import { GrowingTree } from './growing-tree';
import { nodeHash, treeRoot, type Subtree } from './merkle-tree';

describe('a tree to which leaves are appended', () => {
  const leaves = Array.from({ length: 70 }, (_, n) => sha256(Buffer.from(`leaf ${n}`)));
  const at = (level: number, index: number): Uint8Array =>
    level === 0
      ? (leaves[index] as Uint8Array)
      : nodeHash(at(level - 1, index * 2), at(level - 1, index * 2 + 1));
  const subtree: Subtree = (level, index) => Promise.resolve(at(level, index));

  it('has the root of RFC 6962 at every size', async () => {
    const tree = new GrowingTree();
    for (const leaf of leaves) {
      expect(tree.root()).toEqual(await treeRoot(subtree, tree.size));
      tree.append(leaf);
    }
    expect(tree.root()).toEqual(await treeRoot(subtree, leaves.length));
  });
});
