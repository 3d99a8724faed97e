import { emptyRoot, nodeHash } from './merkle-tree';

/**
 * A Merkle tree (RFC 6962 section 2.1) to which leaves are appended, and of which only the root is asked: it keeps the
 * roots of the perfect subtrees at its right edge, one for each bit of its size.
 */
export class GrowingTree {
  /** By level; a level whose bit in the size is 0 has none. */
  private readonly edge: (Uint8Array | undefined)[] = [];
  private leaves = 0;

  get size(): number {
    return this.leaves;
  }

  /** @param leaf the hash of a leaf, not its data */
  append(leaf: Uint8Array): void {
    let hash = leaf;
    let level = 0;
    for (let left = this.edge[0]; left !== undefined; left = this.edge[++level]) {
      hash = nodeHash(left, hash);
      this.edge[level] = undefined;
    }
    this.edge[level] = hash;
    this.leaves++;
  }

  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const left of this.edge) {
      if (left !== undefined) root = root === undefined ? left : nodeHash(left, root);
    }
    return root ?? emptyRoot();
  }
}
