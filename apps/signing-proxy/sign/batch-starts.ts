import { hash } from 'node:crypto';
import { type BatchStart } from '../marks/high-water-mark';
import { type SignItem } from './read-sign-request';

interface Part {
  /** What the shard's part of the batch starts with. */
  item: SignItem;
  start: number;
  end: number;
  /** What the caller says is committed; -1 unless it says. */
  committed: number;
  /** The inputs by position, from the first that did not follow the one before it. */
  byPosition: Map<number, SignItem> | undefined;
  /** In order, while each follows the one before. */
  items: SignItem[];
}

/** Each shard's part of a batch: where it starts and ends, and what its caller knows to be committed. */
export class BatchStarts {
  private readonly shards = new Map<number, Part>();

  get size(): number {
    return this.shards.size;
  }

  /** @returns why the input cannot be in the batch; undefined when it can */
  add(item: SignItem, { shard, seq }: { shard: number; seq: number }): string | undefined {
    const part = this.shards.get(shard);
    const committed = item.committed ?? -1;
    if (part === undefined) {
      const items = [item];
      this.shards.set(shard, { item, start: seq, end: seq, committed, byPosition: undefined, items });
      return undefined;
    }
    part.committed = Math.max(part.committed, committed);
    if (part.byPosition === undefined && seq === part.end + 1) {
      part.end = seq;
      part.items.push(item);
      return undefined;
    }
    // Several groups of a kernel may come in one batch, in any order.
    part.byPosition ??= new Map(part.items.map((one, n) => [part.start + n, one]));
    const other = part.byPosition.get(seq);
    if (other !== undefined && !other.input.equals(item.input)) {
      return `position ${shard}:${seq} is in the batch with two hashes (SHA-256 of the other input ${hash('sha256', other.input, 'hex')})`;
    }
    part.byPosition.set(seq, item);
    if (seq < part.start) part.item = item;
    part.start = Math.min(part.start, seq);
    part.end = Math.max(part.end, seq);
    return undefined;
  }

  /** @returns the first shard whose positions have a gap, with a sentence; undefined when there is none */
  gap(): { item: SignItem; what: string } | undefined {
    for (const [shard, { item, start, end, byPosition }] of this.shards) {
      if (byPosition === undefined || byPosition.size === end - start + 1) continue;
      const what = `positions ${shard}:${start} to ${shard}:${end} are not all in the batch; events of a shard are signed in one run`;
      return { item, what };
    }
    return undefined;
  }

  starts(): BatchStart[] {
    return [...this.shards].map(([shard, { start, end, committed }]) => ({
      shard,
      start,
      end,
      // A caller that does not say builds on the position before the first.
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
