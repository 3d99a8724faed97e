import { consistencyPath, inclusionPath, nodeHash, type Subtree, treeRoot } from '#evidence';

/** Number of leaves in a tile: only the hash of the subtree over each 256 leaves is kept, theirs are read again. */
const TILE = 256;
const TILE_LEVEL = 8;
/** Tiles read by one statement: 4,096 leaf hashes. */
const TILES_AT_ONCE = 16;
/** Tiles of 268 million events: 32 MiB of hashes. */
const MAX_TILES = 1 << 20;

/** Hashes of leaves, as the store computes them: those of positions after `afterSeq`, in order. */
export type LeafHashes = (shard: number, afterSeq: number, limit: number) => Promise<Uint8Array[]>;

/**
 * The Merkle trees of the shards (docs/spec/transparency-log.md), as far as proofs need them. Committed events never
 * change, so a full subtree is computed once and kept.
 */
export class ShardTrees {
  private readonly trees = new Map<number, { tiles: Uint8Array[]; growing: Promise<void> }>();

  constructor(private readonly leaves: LeafHashes) {}

  /** Root and paths of a tree of a size that the shard has already reached. */
  async proofs(
    shard: number,
    size: number,
    indexes: readonly number[],
  ): Promise<{ root: Uint8Array; paths: Uint8Array[][] }> {
    const tiles = await this.grown(shard, size);
    const subtree = this.subtree(shard, tiles, size);
    const root = await treeRoot(subtree, size);
    const paths: Uint8Array[][] = [];
    for (const index of indexes) paths.push(await inclusionPath(subtree, index, size));
    return { root, paths };
  }

  /** Proof that the tree of a size continues the one of an earlier size. */
  async consistency(shard: number, from: number, size: number): Promise<Uint8Array[]> {
    return consistencyPath(this.subtree(shard, await this.grown(shard, size), size), from, size);
  }

  /** Extends the kept tiles, one caller at a time: waiting callers find them ready. */
  private async grown(shard: number, size: number): Promise<Uint8Array[]> {
    const wanted = Math.floor(size / TILE);
    if (wanted > MAX_TILES) throw new RangeError(`a tree of ${size} leaves is too large to be computed here`);
    let tree = this.trees.get(shard);
    if (tree === undefined) {
      tree = { tiles: [], growing: Promise.resolve() };
      this.trees.set(shard, tree);
    }
    const { tiles } = tree;
    tree.growing = tree.growing
      .catch(() => undefined)
      .then(async () => {
        while (tiles.length < wanted) {
          const count = Math.min(TILES_AT_ONCE, wanted - tiles.length) * TILE;
          const hashes = await this.read(shard, tiles.length * TILE, count);
          for (let at = 0; at < count; at += TILE) tiles.push(perfectRoot(hashes.slice(at, at + TILE)));
        }
      });
    await tree.growing;
    return tiles;
  }

  private subtree(shard: number, tiles: readonly Uint8Array[], size: number): Subtree {
    // Several events of an upgrade are mostly in one tile.
    const read = new Map<number, Promise<Uint8Array[]>>();
    const perfect: Subtree = async (level, index) => {
      if (level > TILE_LEVEL) {
        return nodeHash(await perfect(level - 1, index * 2), await perfect(level - 1, index * 2 + 1));
      }
      if (level === TILE_LEVEL) {
        const tile = tiles[index];
        if (tile === undefined) throw new RangeError(`the tree of shard ${shard} has no tile ${index}`);
        return tile;
      }
      const first = index * 2 ** level;
      const tile = Math.floor(first / TILE);
      let hashes = read.get(tile);
      if (hashes === undefined) {
        hashes = this.read(shard, tile * TILE, Math.min(TILE, size - tile * TILE));
        read.set(tile, hashes);
      }
      const within = first - tile * TILE;
      return perfectRoot((await hashes).slice(within, within + 2 ** level));
    };
    return perfect;
  }

  private async read(shard: number, afterSeq: number, count: number): Promise<Uint8Array[]> {
    const hashes = await this.leaves(shard, afterSeq, count);
    if (hashes.length === count) return hashes;
    throw new RangeError(`shard ${shard} has ${hashes.length} of ${count} events after ${afterSeq}`);
  }
}

/** Root over a number of leaves that is a power of two. */
function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
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
