import { setTimeout as delay } from 'node:timers/promises';
import { ChannelListener, type Database } from '#platform/postgres';

const CHANNEL = 'kernel_events';
/**
 * Minimum interval of one process's notifications: a notifying transaction holds a lock that all of them share, so it
 * is separate from the commit of the events themselves.
 */
const NOTIFY_INTERVAL_MS = 25;

/** Tells the tails of all processes which shards grew, as a wake-up only: a lost one costs a poll interval, never an event. */
export class AppendNotifications {
  private readonly pending = new Set<number>();
  private notifying: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(private readonly database: Database) {}

  /** Tells soon that this shard grew. Never fails: tails poll as well. */
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
      await delay(NOTIFY_INTERVAL_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.notifying;
  }
}

/**
 * The other end of the notifications: one connection for all tails of a process.
 * @param onListening see ChannelListener
 */
export function listenForAppends(
  database: Database,
  onAppend: (shard: number) => void,
  onListening: () => void,
): ChannelListener {
  return new ChannelListener(
    database,
    [CHANNEL],
    (_, shards) => {
      for (const shard of shards.split(',')) onAppend(Number(shard));
    },
    onListening,
  );
}
