import { setTimeout as delay } from 'node:timers/promises';
import { type Client } from 'pg';
import { cutConnection, type Database } from './database';

const RECONNECT_MS = 250;

/**
 * `LISTEN` on a connection of its own, opened again whenever it is lost. A wake-up only: notifications while the
 * connection is lost are missed, so the listener looks for itself now and then, and whenever it is told to.
 */
export class ChannelListener {
  private client: Client | undefined;
  private connecting: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly channels: readonly string[],
    private readonly onNotification: (channel: string, payload: string) => void,
    /** The connection is open, for the first time or again: earlier notifications were missed. */
    private readonly onListening: () => void,
  ) {}

  /** Starts to listen, unless it already does. */
  listen(): void {
    if (this.connecting || this.stopping.signal.aborted) return;
    this.connecting = this.connect();
  }

  private async connect(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const client = this.database.newClient('kernel-listen');
      const unwatch = this.database.onLoginRenewal(() => cutConnection(client));
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve);
        client.on('error', () => resolve());
      });
      client.on('notification', ({ channel, payload }) => this.onNotification(channel, payload ?? ''));
      this.client = client;
      try {
        await client.connect();
        for (const channel of this.channels) await client.query(`LISTEN ${channel}`);
        this.onListening();
        if (!this.stopping.signal.aborted) await ended;
      } catch {
        // Tried again below; waiting callers poll meanwhile.
      }
      unwatch();
      cutConnection(client);
      if (!this.stopping.signal.aborted) {
        await delay(RECONNECT_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }

  async close(): Promise<void> {
    this.stopping.abort();
    if (this.client) cutConnection(this.client);
    await this.connecting;
  }
}
