import { type BatchStart } from '../marks/high-water-mark';
import { type SignItem } from './read-sign-request';

/** Where each shard's part of a batch starts, and what its caller knows to be committed. */
export class BatchStarts {
  private readonly shards = new Map<number, { item: SignItem; start: number; committed: number }>();

  get size(): number {
    return this.shards.size;
  }

  add(item: SignItem, { shard, seq }: { shard: number; seq: number }): void {
    const known = this.shards.get(shard);
    // A caller that does not say builds on the position before the first.
    const committed = item.committed ?? -1;
    if (known === undefined) {
      this.shards.set(shard, { item, start: seq, committed });
      return;
    }
    if (seq < known.start) {
      known.item = item;
      known.start = seq;
    }
    known.committed = Math.max(known.committed, committed);
  }

  starts(): BatchStart[] {
    return [...this.shards].map(([shard, { start, committed }]) => ({
      shard,
      start,
      committed: committed === -1 ? start - 1 : committed,
    }));
  }

  /** What the shard's part of the batch starts with. */
  lowest(shard: number): { item: SignItem; start: number } {
    const lowest = this.shards.get(shard);
    if (lowest === undefined) throw new TypeError(`nothing of shard ${shard} is in the batch`);
    return lowest;
  }
}
