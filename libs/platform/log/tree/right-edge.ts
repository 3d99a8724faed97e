import { emptyRoot, nodeHash } from '#evidence';
import { perfectRoot } from './perfect-tree';
import { TILE_WIDTH, type TileName } from './tile-path';

/** A tile with its hashes. */
export interface HashTile {
  readonly name: TileName;
  readonly hashes: readonly Uint8Array[];
}

/**
 * The right edge of a growing tree: of each level, the hashes of its last tile, which is not full. It is all that is
 * needed to append and to compute the root (RFC 6962 section 2.1): 255 hashes a level, whatever the size.
 */
export class RightEdge {
  private constructor(
    private leaves: number,
    private readonly levels: Uint8Array[][],
  ) {}

  static empty(): RightEdge {
    return new RightEdge(0, []);
  }

  /** The edge of a tree of that size, from its partial tiles. */
  static async read(
    size: number,
    partialTile: (name: TileName) => Promise<readonly Uint8Array[]>,
  ): Promise<RightEdge> {
    const levels: Uint8Array[][] = [];
    for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
      const width = hashes % TILE_WIDTH;
      const index = Math.floor(hashes / TILE_WIDTH);
      levels.push(width === 0 ? [] : [...(await partialTile({ level, index, width }))]);
    }
    return new RightEdge(size, levels);
  }

  /** Number of leaves. */
  get size(): number {
    return this.leaves;
  }

  /** Appends a leaf, and returns the tiles that are full now. */
  append(leaf: Uint8Array): HashTile[] {
    const full: HashTile[] = [];
    this.leaves++;
    let hash = leaf;
    for (let level = 0, count = this.leaves; ; level++) {
      const hashes = (this.levels[level] ??= []);
      hashes.push(hash);
      if (hashes.length < TILE_WIDTH) return full;
      this.levels[level] = [];
      count /= TILE_WIDTH;
      full.push({ name: { level, index: count - 1, width: TILE_WIDTH }, hashes });
      hash = perfectRoot(hashes);
    }
  }

  /** The partial tiles of the tree as it is, copied: at most one a level. */
  partialTiles(): HashTile[] {
    return this.levels.flatMap((hashes, level) => {
      if (hashes.length === 0) return [];
      const index = Math.floor(this.leaves / TILE_WIDTH ** (level + 1));
      return [{ name: { level, index, width: hashes.length }, hashes: [...hashes] }];
    });
  }

  root(): Uint8Array {
    // From the right, the smallest subtree, to the left, the largest.
    let root: Uint8Array | undefined;
    for (const hashes of this.levels) {
      let end = hashes.length;
      for (let count = 1; end > 0; count *= 2) {
        if ((end & count) === 0) continue;
        const subtree = perfectRoot(hashes.slice(end - count, end));
        root = root === undefined ? subtree : nodeHash(subtree, root);
        end -= count;
      }
    }
    return root ?? emptyRoot();
  }
}
