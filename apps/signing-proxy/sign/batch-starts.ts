import { hash } from 'node:crypto';
import { type BatchStart } from '../marks/high-water-mark';
import { type SignItem } from './read-sign-request';

/** The positions that one input is over. */
interface Run {
  item: SignItem;
  first: number;
  last: number;
}

interface Part {
  /** In the order of the batch. */
  runs: Run[];
  /** Each run so far begins where the one before it ended. */
  inOrder: boolean;
  /** What the caller says is committed; -1 unless it says. */
  committed: number;
}

/** Each shard's part of a batch: where it starts and ends, and what its caller knows to be committed. */
export class BatchStarts {
  private readonly shards = new Map<number, Part>();

  /** Takes in an input over the positions from `first` to `last`. */
  add(item: SignItem, { shard, first, last }: { shard: number; first: number; last: number }): void {
    const part = this.shards.get(shard) ?? { runs: [], inOrder: true, committed: -1 };
    this.shards.set(shard, part);
    part.committed = Math.max(part.committed, item.committed ?? -1);
    const before = part.runs.at(-1);
    if (before !== undefined && first !== before.last + 1) part.inOrder = false;
    part.runs.push({ item, first, last });
  }

  /**
   * The first input that does not make its shard's positions one run, with a sentence; undefined when there is none.
   * Several groups of a kernel may come in one batch, in any order; the same input may come twice.
   */
  irregular(): { item: SignItem; what: string } | undefined {
    for (const [shard, { runs, inOrder }] of this.shards) {
      if (inOrder) continue;
      let before: Run | undefined;
      for (const run of runs.toSorted((a, b) => a.first - b.first || a.last - b.last)) {
        const { item, first } = run;
        if (before === undefined || first === before.last + 1) {
          before = run;
          continue;
        }
        if (first > before.last) {
          const what = `positions ${shard}:${before.last + 1} to ${shard}:${first - 1} are not in the batch; events of a shard are signed in one run`;
          return { item, what };
        }
        if (item.input.equals(before.item.input)) continue;
        const other = hash('sha256', before.item.input, 'hex');
        const what = `position ${shard}:${first} is in the batch with two hashes (SHA-256 of the other input ${other})`;
        return { item, what };
      }
    }
    return undefined;
  }

  starts(): BatchStart[] {
    return [...this.shards].map(([shard, { runs, committed }]) => {
      const start = runs.reduce((least, { first }) => Math.min(least, first), Infinity);
      const end = runs.reduce((most, { last }) => Math.max(most, last), 0);
      // A caller that does not say builds on the position before the first.
      return { shard, start, end, committed: committed === -1 ? start - 1 : committed };
    });
  }

  /** What the shard's part of the batch starts with. */
  lowest(shard: number): { item: SignItem; start: number } {
    const runs = this.shards.get(shard)?.runs ?? [];
    const lowest = runs.reduce<Run | undefined>(
      (low, run) => (low === undefined || run.first < low.first ? run : low),
      undefined,
    );
    if (lowest === undefined) throw new TypeError(`nothing of shard ${shard} is in the batch`);
    return { item: lowest.item, start: lowest.first };
  }
}
