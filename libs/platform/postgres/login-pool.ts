import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { type DatabaseLogin, isRefusedLogin } from './login';

/**
 * How long a caller waits for a connection that the server refuses to log in: between the change of a password and that of
 * the file. Open connections serve other callers meanwhile.
 */
const PATIENCE_MS = 5_000;
const RETRY_MS = 100;

type Done = (release?: boolean | Error) => void;
type Connected = (error: Error | undefined, client: PoolClient | undefined, done: Done) => void;

/** A pool whose connections follow a URL that changes: a caller never gets one of a former URL. */
export class LoginPool extends Pool {
  readonly login: DatabaseLogin;
  private readonly unwatch: () => void;

  constructor(config: PoolConfig, login: DatabaseLogin) {
    super({ ...config, Client: login.Client });
    this.login = login;
    this.unwatch = login.onRenewal(() => void this.renew());
    // One that was busy when the others were replaced is replaced as soon as it is idle.
    this.on('release', (_, client) => {
      if (login.isFormer(client)) setImmediate(() => void this.renew());
    });
  }

  override connect(): Promise<PoolClient>;
  override connect(connected: Connected): void;
  override connect(connected?: Connected): Promise<PoolClient> | void {
    const client = this.patiently();
    if (connected === undefined) return client;
    const nothing: Done = () => undefined;
    client.then(
      (found) => connected(undefined, found, found.release.bind(found)),
      (error: Error) => connected(error, undefined, nothing),
    );
  }

  override end(): Promise<void>;
  override end(ended: () => void): void;
  override end(ended?: () => void): Promise<void> | void {
    this.unwatch();
    return ended === undefined ? super.end() : super.end(ended);
  }

  private async patiently(): Promise<PoolClient> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const client = await super.connect();
        if (!this.login.isFormer(client)) return client;
        client.release(true);
      } catch (error) {
        if (!isRefusedLogin(error) || performance.now() > until || this.ending) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /** Replaces idle connections of the former URL: whoever gets one closes it and takes the next. */
  private async renew(): Promise<void> {
    if (this.ending) return;
    const connecting = Array.from({ length: this.idleCount }, () => this.connect());
    for (const result of await Promise.allSettled(connecting)) {
      if (result.status === 'fulfilled') result.value.release();
    }
  }
}
