import { type HeadPosition } from '../append/append-state.sql';
import { type ShardHead } from '../event-store.types';
import { RECENT_HEAD_MS } from '../limits';

interface RecentHead {
  head?: HeadPosition;
  /** `performance.now()` */
  at: number;
  refresh?: Promise<HeadPosition | null>;
}

/** The heads of the shards as they were a moment ago: from this process's own commits, or asked for once for all callers. */
export class RecentHeads {
  private readonly recent: RecentHead[];

  constructor(
    shards: number,
    private readonly heads: () => Promise<readonly ShardHead[]>,
  ) {
    this.recent = Array.from({ length: shards }, () => ({ at: 0 }));
  }

  /** Takes in a head that this process has committed. */
  committed(shard: number, head: HeadPosition): void {
    this.recent[shard] = { head, at: performance.now() };
  }

  /** The head as it was at most 250 ms ago; null when there is no such shard. */
  async of(shard: number): Promise<HeadPosition | null> {
    const recent = this.recent[shard];
    if (recent === undefined) return null;
    if (recent.head && performance.now() - recent.at <= RECENT_HEAD_MS) return recent.head;
    recent.refresh ??= this.refresh(shard, recent).finally(() => delete recent.refresh);
    return recent.refresh;
  }

  private async refresh(shard: number, recent: RecentHead): Promise<HeadPosition | null> {
    const asked = performance.now();
    const found = (await this.heads()).find((head) => head.shard === shard);
    if (!found) return null;
    const { seq, hash, ts } = found;
    const head = { seq, hash, ms: ts === null ? 0 : Date.parse(ts) };
    // Our own commit may have come between question and answer.
    if (!recent.head || recent.head.seq <= seq) Object.assign(recent, { head, at: asked });
    return head;
  }
}
