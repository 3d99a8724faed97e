import { ChannelListener, type Database } from '#platform/postgres';

/** Stage that an event has reached after the store: the stream, the index, the archive, the published log. */
export type PipelineStage = 'published' | 'indexed' | 'archived' | 'logged';

export interface PipelineProgressOptions {
  database: Database;
  /** Interval between looks, in case a notification gets lost; default 500 ms. Only while a request waits. */
  pollMs?: number;
  /** Most requests that may wait at the same time; default 500. */
  maxWaiters?: number;
}

const POSITIONS = {
  name: 'pipeline_positions',
  text: `SELECT 'published' AS stage, shard, seq FROM kernel.relay_cursors
    UNION ALL
    SELECT CASE consumer WHEN 'indexer' THEN 'indexed' WHEN 'archiver' THEN 'archived' ELSE 'logged' END, shard, seq
    FROM kernel.stream_positions WHERE consumer IN ('indexer', 'archiver', 'log-publisher')`,
};

interface Waiter {
  seq: number;
  resolve(reached: boolean): void;
}

/**
 * Lets requests wait until the pipeline has an event. One query answers all of them; it runs when a notification says
 * that something moved, and now and then without one. Positions only rise, so seen ones are kept.
 */
export class PipelineProgress {
  private readonly seen = new Map<string, number>();
  private readonly waiters = new Map<string, Set<Waiter>>();
  private readonly listener: ChannelListener;
  private readonly pollMs: number;
  private readonly maxWaiters: number;
  private waiting = 0;
  private poll: NodeJS.Timeout | undefined;
  private looking = false;
  private lookAgain = false;

  constructor(private readonly options: PipelineProgressOptions) {
    this.pollMs = options.pollMs ?? 500;
    this.maxWaiters = options.maxWaiters ?? 500;
    this.listener = new ChannelListener(
      options.database,
      ['kernel_stream', 'kernel_positions'],
      () => void this.look(),
      () => void this.look(),
    );
  }

  /** Number of requests that wait now. */
  get depth(): number {
    return this.waiting;
  }

  /**
   * True when the stage has the shard's event `seq`; false when `timeoutMs` are over, when `signal` is aborted, or at
   * once when too many already wait.
   */
  async reached(
    stage: PipelineStage,
    { shard, seq }: { shard: number; seq: number },
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const key = `${stage}:${shard}`;
    if ((this.seen.get(key) ?? 0) >= seq) return true;
    if (this.waiting >= this.maxWaiters || signal.aborted) return false;
    const waiters = this.waiters.get(key) ?? new Set();
    this.waiters.set(key, waiters);
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => waiter.resolve(false), timeoutMs);
      const abort = (): void => waiter.resolve(false);
      const waiter: Waiter = {
        seq,
        resolve: (reached) => {
          if (!waiters.delete(waiter)) return;
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          this.waiting--;
          if (this.waiting === 0) {
            clearInterval(this.poll);
            this.poll = undefined;
          }
          resolve(reached);
        },
      };
      waiters.add(waiter);
      this.waiting++;
      signal.addEventListener('abort', abort, { once: true });
      this.listener.listen();
      this.poll ??= setInterval(() => void this.look(), this.pollMs);
      void this.look();
    });
  }

  /** Releases all waiting requests. */
  async close(): Promise<void> {
    for (const waiters of this.waiters.values()) for (const waiter of [...waiters]) waiter.resolve(false);
    await this.listener.close();
  }

  /** Looks once at a time; the next look sees later changes. */
  private async look(): Promise<void> {
    if (this.waiting === 0) return;
    this.lookAgain = true;
    if (this.looking) return;
    this.looking = true;
    try {
      while (this.lookAgain && this.waiting > 0) {
        this.lookAgain = false;
        // Without the database they keep waiting, until their time is over.
        const rows = await this.options.database
          .query<{ stage: PipelineStage; shard: number; seq: string }>(POSITIONS, [])
          .catch(() => []);
        for (const row of rows) this.note(`${row.stage}:${row.shard}`, Number(row.seq));
      }
    } finally {
      this.looking = false;
    }
  }

  private note(key: string, seq: number): void {
    if (seq > (this.seen.get(key) ?? 0)) this.seen.set(key, seq);
    for (const waiter of [...(this.waiters.get(key) ?? [])]) if (waiter.seq <= seq) waiter.resolve(true);
  }
}
