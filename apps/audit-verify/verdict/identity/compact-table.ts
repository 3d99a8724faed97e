import { spread, type Key128 } from './key-128';

/** Entries per slot that keep probing short. */
const LOAD = 0.6;
const FIRST_SLOTS = 1 << 14;

/**
 * A map from 128-bit keys to numbers above 0 in typed arrays: 24 bytes a slot, nothing for the garbage collector. Open
 * addressing with linear probing; entries are never removed.
 */
export class CompactTable {
  private keys = new Int32Array(FIRST_SLOTS * 4);
  /** 0 is an empty slot. */
  private values = new Float64Array(FIRST_SLOTS);
  private mask = FIRST_SLOTS - 1;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Sets a value and returns the one before, 0 when there was none. */
  swap(key: Key128, value: number): number {
    if (this.count + 1 > (this.mask + 1) * LOAD) this.grow();
    const { keys, values, mask } = this;
    const a = key[0] ?? 0;
    const b = key[1] ?? 0;
    const c = key[2] ?? 0;
    const d = key[3] ?? 0;
    for (let slot = spread(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      const before = values[slot] ?? 0;
      const at = slot * 4;
      if (before === 0) {
        keys[at] = a;
        keys[at + 1] = b;
        keys[at + 2] = c;
        keys[at + 3] = d;
        values[slot] = value;
        this.count++;
        return 0;
      }
      if (keys[at + 3] === d && keys[at] === a && keys[at + 1] === b && keys[at + 2] === c) {
        values[slot] = value;
        return before;
      }
    }
  }

  *entries(): Generator<[key: Key128, value: number]> {
    for (let slot = 0; slot <= this.mask; slot++) {
      const value = this.values[slot] ?? 0;
      if (value !== 0) yield [this.keys.subarray(slot * 4, slot * 4 + 4), value];
    }
  }

  private grow(): void {
    const { keys, values, mask } = this;
    const slots = (mask + 1) * 2;
    this.keys = new Int32Array(slots * 4);
    this.values = new Float64Array(slots);
    this.mask = slots - 1;
    this.count = 0;
    const key = new Int32Array(4);
    for (let slot = 0; slot <= mask; slot++) {
      const value = values[slot] ?? 0;
      if (value === 0) continue;
      for (let i = 0; i < 4; i++) key[i] = keys[slot * 4 + i] ?? 0;
      this.swap(key, value);
    }
  }
}
