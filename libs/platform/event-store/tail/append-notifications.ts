import { setTimeout as delay } from 'node:timers/promises';
import { ChannelListener, type Database } from '#platform/postgres';

const CHANNEL = 'kernel_events';
/**
 * Minimum interval of one process's notifications: a notifying transaction holds a lock that all of them share, so it
 * is separate from the commit of the events themselves.
 */
const NOTIFY_INTERVAL_MS = 10;

/**
 * `LISTEN`/`NOTIFY` between processes, as a wake-up only: a lost one costs a poll interval, never an event. One
 * connection for all tails of this process, opened with the first of them, opened again whenever it is lost.
 */
export class AppendNotifications {
  private readonly pending = new Set<number>();
  private notifying: Promise<void> | undefined;
  private readonly listener: ChannelListener;
  private readonly stopping = new AbortController();

  constructor(
    private readonly database: Database,
    onAppend: (shard: number) => void,
    /** See ChannelListener. */
    onListening: () => void,
  ) {
    this.listener = new ChannelListener(
      database,
      [CHANNEL],
      (_, shards) => {
        for (const shard of shards.split(',')) onAppend(Number(shard));
      },
      onListening,
    );
  }

  /** Tells other processes soon that this shard grew. Never fails: they poll as well. */
  notify(shard: number): void {
    if (this.stopping.signal.aborted) return;
    this.pending.add(shard);
    this.notifying ??= this.send().finally(() => {
      this.notifying = undefined;
    });
  }

  private async send(): Promise<void> {
    while (this.pending.size > 0 && !this.stopping.signal.aborted) {
      const shards = [...this.pending].join(',');
      this.pending.clear();
      await this.database
        .step({ name: 'kernel_notify', text: 'SELECT pg_notify($1, $2)' }, [CHANNEL, shards])
        .catch(() => undefined);
      await this.pause(NOTIFY_INTERVAL_MS);
    }
  }

  /** Starts to listen, unless it already does. */
  listen(): void {
    this.listener.listen();
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.notifying, this.listener.close()]);
  }
}
