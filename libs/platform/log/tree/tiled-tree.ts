import { consistencyPath, inclusionPath, treeRoot } from '#evidence';
import { ExpandedTile } from './expanded-tile';
import { type TileCache } from './tile-cache';
import { TILE_HEIGHT, TILE_WIDTH, type TileName, tilePath, widthIn } from './tile-path';

/** Where hash tiles come from. */
export interface TileSource {
  readonly shard: number;
  /** The hashes of a tile, `width * 32` bytes. @throws LogError `object_missing`, `damaged_object` */
  hashTile(name: TileName): Promise<Uint8Array>;
}

/** The tree of one size of a shard's log, out of its tiles: root and proofs (RFC 9162 section 2.1). */
export class TiledTree {
  /** Tiles being read now: proofs that run together read each of them once. */
  private readonly reading = new Map<string, Promise<ExpandedTile>>();

  constructor(
    private readonly source: TileSource,
    private readonly cache: TileCache,
    readonly size: number,
  ) {}

  root(): Promise<Uint8Array> {
    return treeRoot(this.subtree, this.size);
  }

  /** The root that the tree had at an earlier size. */
  rootAt(size: number): Promise<Uint8Array> {
    return treeRoot(this.subtree, size);
  }

  /** The audit path of the leaf at an index, from its sibling up. */
  async inclusion(index: number): Promise<Uint8Array[]> {
    return inclusionPath(this.subtree, index, this.size);
  }

  /** The proof that this tree continues its first `from` leaves. */
  async consistency(from: number): Promise<Uint8Array[]> {
    return consistencyPath(this.subtree, from, this.size);
  }

  private readonly subtree = async (level: number, index: number): Promise<Uint8Array> => {
    const height = level % TILE_HEIGHT;
    const tile = Math.floor((index * 2 ** height) / TILE_WIDTH);
    const expanded = await this.tile((level - height) / TILE_HEIGHT, tile);
    return expanded.at(height, index - (tile * TILE_WIDTH) / 2 ** height);
  };

  private async tile(level: number, index: number): Promise<ExpandedTile> {
    const name = { level, index, width: widthIn(this.size, level, index) };
    const key = keyOf(this.source.shard, name);
    const cached = this.cache.get(key);
    if (cached !== undefined) return cached;
    let reading = this.reading.get(key);
    if (reading === undefined) {
      reading = this.read(name, key).finally(() => this.reading.delete(key));
      this.reading.set(key, reading);
    }
    return reading;
  }

  private async read(name: TileName, key: string): Promise<ExpandedTile> {
    const expanded = ExpandedTile.of(await this.source.hashTile(name));
    this.cache.put(key, expanded);
    return expanded;
  }
}

/** Keeps a tile that was just stored: the proofs of the next trees need it. Bundles have no part in proofs. */
export function keepTile(
  cache: TileCache,
  shard: number,
  { name, bytes }: { readonly name: TileName; readonly bytes: Uint8Array },
): void {
  if (name.level !== 'entries') cache.put(keyOf(shard, name), ExpandedTile.of(bytes));
}

function keyOf(shard: number, name: TileName): string {
  return `${shard}/${tilePath(name)}`;
}
