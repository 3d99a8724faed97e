import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { cutConnection, type Database } from '../postgres/database';

const CHANNEL = 'kernel_events';
/**
 * Notifications of one process at most this often: a notifying transaction holds a lock that all of them share, so it
 * stays out of the commit of the events themselves.
 */
const NOTIFY_INTERVAL_MS = 10;
const RECONNECT_MS = 250;

/**
 * `LISTEN`/`NOTIFY` between processes, as a wake-up only: a lost one costs a poll interval, never an event. One
 * connection for all tails of this process, opened with the first of them, opened again whenever it is lost.
 */
export class AppendNotifications {
  private readonly pending = new Set<number>();
  private notifying: Promise<void> | undefined;
  private client: Client | undefined;
  private connecting: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly onAppend: (shard: number) => void,
    /** The connection is there, for the first time or again: what came before it was missed. */
    private readonly onListening: () => void,
  ) {}

  /** Tells other processes, soon, that this shard grew. Never fails: they poll as well. */
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

  /** Starts to listen, if it does not yet. */
  listen(): void {
    if (this.connecting || this.stopping.signal.aborted) return;
    this.connecting = this.connect();
  }

  private async connect(): Promise<void> {
    const options = this.database.connectionOptions;
    while (!this.stopping.signal.aborted) {
      // The pool hides its password from enumeration.
      const client = new Client({
        ...options,
        password: options.password,
        application_name: 'kernel-listen',
      });
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve);
        client.on('error', () => resolve());
      });
      client.on('notification', ({ payload }) => {
        for (const shard of payload?.split(',') ?? []) this.onAppend(Number(shard));
      });
      this.client = client;
      try {
        await client.connect();
        await client.query(`LISTEN ${CHANNEL}`);
        this.onListening();
        if (!this.stopping.signal.aborted) await ended;
      } catch {
        // Tried again below; tails poll meanwhile.
      }
      cutConnection(client);
      if (!this.stopping.signal.aborted) await this.pause(RECONNECT_MS);
    }
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    if (this.client) cutConnection(this.client);
    await Promise.all([this.notifying, this.connecting]);
  }
}
