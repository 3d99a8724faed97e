import { nodeHash } from '#evidence';
import { HASH_BYTES, TILE_HEIGHT } from './tile-path';

/**
 * A tile with the hashes of the levels between its own and the next tile's, in one buffer: 16 KiB when full. Proofs of
 * any of its leaves then hash nothing.
 */
export class ExpandedTile {
  private constructor(
    private readonly hashes: Uint8Array,
    private readonly offsets: readonly number[],
  ) {}

  /** @param tile its hashes, one after the other */
  static of(tile: Uint8Array): ExpandedTile {
    const width = tile.length / HASH_BYTES;
    const offsets: number[] = [];
    let nodes = 0;
    for (let height = 0; height <= TILE_HEIGHT; height++) {
      offsets.push(nodes);
      nodes += Math.floor(width / 2 ** height);
    }
    const hashes = new Uint8Array(nodes * HASH_BYTES);
    hashes.set(tile);
    const expanded = new ExpandedTile(hashes, offsets);
    for (let height = 1; height <= TILE_HEIGHT; height++) {
      for (let i = 0; i < Math.floor(width / 2 ** height); i++) {
        const node = nodeHash(expanded.at(height - 1, 2 * i), expanded.at(height - 1, 2 * i + 1));
        hashes.set(node, ((offsets[height] ?? 0) + i) * HASH_BYTES);
      }
    }
    return expanded;
  }

  get bytes(): number {
    return this.hashes.length;
  }

  /** The hash over 2^height hashes of the tile: a view into it. The range must be within the tile. */
  at(height: number, index: number): Uint8Array {
    const from = ((this.offsets[height] ?? 0) + index) * HASH_BYTES;
    return this.hashes.subarray(from, from + HASH_BYTES);
  }
}
