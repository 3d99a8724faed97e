import { type Client } from 'pg';
import { type Secret } from '#platform/process';
import { answerWithin } from '#platform/resilience';
import { clientFor, DatabaseLogin } from '../login';

/**
 * `pg_locks` shows a 64-bit advisory lock as two halves. The key follows from the name; two names that share one would
 * only wait for each other.
 */
const KEY = `hashtextextended('illuvrse-kernel/leadership/' || $1, 0)`;

/**
 * Lock and epoch in one statement: once the server has it, a freeze of this process cannot leave a lock without its
 * row. MATERIALIZED, so that the lock is requested once.
 */
const WIN = `
  WITH lock AS MATERIALIZED (SELECT pg_try_advisory_lock(${KEY}) AS taken)
  INSERT INTO kernel.leadership AS l (name, epoch, holder, backend_pid, acquired_at, expires_at)
  SELECT $1, 1, $2, pg_backend_pid(), clock_timestamp(), clock_timestamp() + $3 * interval '1 millisecond'
  FROM lock WHERE lock.taken
  ON CONFLICT (name) DO UPDATE SET epoch = l.epoch + 1, holder = excluded.holder, backend_pid = excluded.backend_pid,
    acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
  RETURNING epoch`;

/**
 * Ends the session of a holder whose lease has expired: it is frozen or cut off, while its session and so its lock may
 * live on for as long as TCP keeps them. Ends only the session that the row names, and only while it holds the lock:
 * not that of a leader elected meanwhile. A role may end sessions of its own role.
 */
const END_EXPIRED = `
  SELECT pg_terminate_backend(k.pid) AS ended
  FROM kernel.leadership l JOIN pg_locks k ON k.pid = l.backend_pid
  WHERE l.name = $1 AND l.expires_at < clock_timestamp()
    AND k.locktype = 'advisory' AND k.granted AND k.objsubid = 1
    AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (k.classid::bigint << 32 | k.objid::bigint) = ${KEY}`;

const RENEW = `
  UPDATE kernel.leadership SET expires_at = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE name = $1 AND epoch = $2 AND backend_pid = pg_backend_pid()`;

/**
 * The one session that represents a candidate. It must reach PostgreSQL itself: a pooler that gives each transaction
 * another session would give the lock to another client.
 */
export class ElectionSession {
  /** Settles with the reason when the connection is lost, or is one with former credentials. */
  readonly lost: Promise<string>;
  /** Whether another session should take its place: the server has accepted other credentials. */
  isFormer = false;
  private unwatch: (() => void) | undefined;

  private constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly leaseMs: number,
    login: DatabaseLogin | undefined,
  ) {
    this.lost = new Promise((resolve) => {
      this.unwatch = login?.onRenewal(() => {
        this.isFormer = true;
        resolve('the database credentials were replaced');
      });
      client.on('error', (error) => resolve(error.message));
      client.on('end', () => resolve('the connection ended'));
    });
  }

  static async open(url: Secret, name: string, leaseMs: number): Promise<ElectionSession> {
    const client = clientFor(url, {
      application_name: `leadership ${name}`.slice(0, 63),
      connectionTimeoutMillis: leaseMs,
      keepAlive: true,
      // The server cancels statements that this side no longer waits for.
      statement_timeout: leaseMs,
    });
    const session = new ElectionSession(client, name, leaseMs, DatabaseLogin.of(url));
    try {
      await client.connect();
    } catch (error) {
      session.cut();
      throw error;
    }
    return session;
  }

  /** Returns the epoch of the new term, or null while another candidate holds the lock. */
  async win(holder: string): Promise<number | null> {
    const [row] = await this.query<{ epoch: string }>(WIN, [this.name, holder, this.leaseMs]);
    return row === undefined ? null : Number(row.epoch);
  }

  /** Ends the session of a holder whose lease has expired. Returns whether there was one. */
  async endExpired(): Promise<boolean> {
    const rows = await this.query<{ ended: boolean }>(END_EXPIRED, [this.name]);
    return rows.some(({ ended }) => ended);
  }

  /** Renews the lease; false when the term is another holder's by now. */
  async renew(epoch: number, withinMs: number): Promise<boolean> {
    const { rowCount } = await this.bounded(
      this.client.query(RENEW, [this.name, epoch, this.leaseMs]),
      withinMs,
    );
    return rowCount === 1;
  }

  /** Releases the lock at once; does not wait for a server that does not answer. */
  async close(): Promise<void> {
    await this.bounded(this.client.end(), this.leaseMs).catch(() => undefined);
    this.cut();
  }

  private async query<R extends object>(text: string, values: unknown[]): Promise<R[]> {
    return (await this.bounded(this.client.query<R>(text, values), this.leaseMs)).rows;
  }

  private bounded<T>(answer: Promise<T>, ms: number): Promise<T> {
    return answerWithin(ms, () => new Error(`PostgreSQL did not answer within ${Math.round(ms)} ms`), answer);
  }

  private cut(): void {
    this.unwatch?.();
    (this.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}
