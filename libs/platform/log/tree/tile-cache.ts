import { type ExpandedTile } from './expanded-tile';

/** Tiles that were used last, by any name; bounded by their bytes. */
export class TileCache {
  private readonly tiles = new Map<string, ExpandedTile>();
  private held = 0;

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.held;
  }

  get(name: string): ExpandedTile | undefined {
    const tile = this.tiles.get(name);
    if (tile === undefined) return undefined;
    // A map keeps the order of insertion: what was used last goes to its end.
    this.tiles.delete(name);
    this.tiles.set(name, tile);
    return tile;
  }

  put(name: string, tile: ExpandedTile): void {
    const before = this.tiles.get(name);
    if (before !== undefined) this.remove(name, before);
    this.tiles.set(name, tile);
    this.held += tile.bytes;
    for (const [oldest, old] of this.tiles) {
      if (this.held <= this.maxBytes) return;
      this.remove(oldest, old);
    }
  }

  private remove(name: string, tile: ExpandedTile): void {
    this.tiles.delete(name);
    this.held -= tile.bytes;
  }
}
