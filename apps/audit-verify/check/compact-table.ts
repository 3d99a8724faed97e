import { spread, type Key128 } from './key-128';

/** Entries per slot that keep probing short. */
const LOAD = 0.6;

/**
 * A map from 128-bit keys to numbers in typed arrays: 25 bytes a slot, nothing for the garbage collector. Open addressing
 * with linear probing; entries are never removed.
 */
export class CompactTable {
  private keys = new Int32Array(0);
  private values = new Float64Array(0);
  private used = new Uint8Array(0);
  private mask = 0;
  private count = 0;

  constructor() {
    this.allocate(1_024);
  }

  get size(): number {
    return this.count;
  }

  /** Sets a value and returns the one before, undefined when there was none. */
  swap(key: Key128, value: number): number | undefined {
    if (this.count + 1 > (this.mask + 1) * LOAD) this.grow();
    const slot = this.slotOf(key);
    const before = this.used[slot] === 1 ? this.values[slot] : undefined;
    if (before === undefined) {
      this.used[slot] = 1;
      this.keys.set(key, slot * 4);
      this.count++;
    }
    this.values[slot] = value;
    return before;
  }

  get(key: Key128): number | undefined {
    const slot = this.slotOf(key);
    return this.used[slot] === 1 ? this.values[slot] : undefined;
  }

  *entries(): Generator<[key: Key128, value: number]> {
    for (let slot = 0; slot <= this.mask; slot++) {
      if (this.used[slot] === 1) yield [this.keys.subarray(slot * 4, slot * 4 + 4), this.values[slot] ?? 0];
    }
  }

  private slotOf(key: Key128): number {
    const { keys, used, mask } = this;
    const a = key[0];
    const b = key[1];
    const c = key[2];
    const d = key[3];
    for (let slot = spread(key) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 4;
      if (used[slot] === 0) return slot;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return slot;
    }
  }

  private grow(): void {
    const { keys, used, values, mask } = this;
    this.allocate((mask + 1) * 2);
    for (let slot = 0; slot <= mask; slot++) {
      if (used[slot] === 1) this.swap(keys.subarray(slot * 4, slot * 4 + 4), values[slot] ?? 0);
    }
  }

  private allocate(slots: number): void {
    this.keys = new Int32Array(slots * 4);
    this.values = new Float64Array(slots);
    this.used = new Uint8Array(slots);
    this.mask = slots - 1;
    this.count = 0;
  }
}
