import { setTimeout as delay } from 'node:timers/promises';
import { type Pool, type PoolClient } from '#platform/postgres';
import { type Secret } from '#platform/process';
import { reasonOf, SignerError } from '#platform/signer';
import { openSharedDatabase } from '../marks/shared-database';
import { MadeKey, MadeKeys } from './made-keys';

/** One that makes a key and holds the lock, one that reads, one to spare. */
const CONNECTIONS = 3;
/** Making a key takes a second or two; a caller that waits longer than this is told to try again. */
const LOCK_WAIT_MS = 5_000;
const LOCK_PAUSE_MS = 100;

/** Replicas that start together take turns: IF NOT EXISTS alone does not order them. */
const SETUP = `
  BEGIN;
  SELECT pg_advisory_xact_lock(hashtextextended('illuvrse-kernel/signing-keys-made', 0));
  CREATE TABLE IF NOT EXISTS signing_keys_made (
    origin text NOT NULL,
    kid text NOT NULL,
    purposes text[] NOT NULL,
    public_key_pem text,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (origin, kid)
  );
  COMMIT`;
const ALL = `
  SELECT kid, purposes, public_key_pem AS "publicKeyPem", made_by AS "madeBy", made_at AS "madeAt"
  FROM signing_keys_made WHERE origin = $1 ORDER BY made_at, kid`;
const BEGIN = `
  INSERT INTO signing_keys_made (origin, kid, purposes, made_by, made_at) VALUES ($1, $2, $3, $4, $5)`;
const COMPLETE = 'UPDATE signing_keys_made SET public_key_pem = $3 WHERE origin = $1 AND kid = $2';
const LOCK = `SELECT pg_try_advisory_lock(hashtextextended('illuvrse-kernel/make-key/' || $1, 0)) AS locked`;
const UNLOCK = `SELECT pg_advisory_unlock(hashtextextended('illuvrse-kernel/make-key/' || $1, 0))`;

/** Made keys in the database of the marks, for all replicas. */
export class PostgresMadeKeys extends MadeKeys {
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly pool: Pool,
    private readonly origin: string,
  ) {
    super();
  }

  /**
   * @param needed whether anyone may make keys: the table is made when it is missing
   * @returns undefined where no one may, and no key was ever made
   * @throws SignerError `misconfigured` when the database cannot be used
   */
  static async open(url: Secret, origin: string, needed: boolean): Promise<PostgresMadeKeys | undefined> {
    const pool = openSharedDatabase(url, 'signing-proxy-keys', CONNECTIONS);
    try {
      const { rows } = await pool.query<{ made: string | null }>(
        "SELECT to_regclass('signing_keys_made')::text AS made",
      );
      if (typeof rows[0]?.made === 'string') return new PostgresMadeKeys(pool, origin);
      if (needed) {
        await pool.query(SETUP);
        return new PostgresMadeKeys(pool, origin);
      }
      await pool.end();
      return undefined;
    } catch (error) {
      await pool.end();
      throw new SignerError(
        'misconfigured',
        `KERNEL_SIGNING_MARKS_DATABASE_URL cannot be used for the list of keys that are made: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }

  override async all(): Promise<MadeKey[]> {
    const { rows } = await this.asked(() => this.pool.query<MadeKey & { madeAt: Date }>(ALL, [this.origin]));
    return rows.map((row) => MadeKey.parse({ ...row, madeAt: row.madeAt.toISOString() }));
  }

  override async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const client = await this.asked(() => this.pool.connect());
    const gone = (): void => undefined;
    client.on('error', gone);
    try {
      await this.lock(client);
      return await work();
    } finally {
      // The lock ends with the connection: one that cannot give it back is thrown away.
      const unlocked = await client.query(UNLOCK, [this.origin]).then(
        () => true,
        () => false,
      );
      client.off('error', gone);
      client.release(!unlocked);
    }
  }

  override async begin({ kid, purposes, madeBy, madeAt }: MadeKey): Promise<void> {
    await this.asked(() => this.pool.query(BEGIN, [this.origin, kid, purposes, madeBy, madeAt]));
  }

  override async complete(kid: string, publicKeyPem: string): Promise<void> {
    await this.asked(() => this.pool.query(COMPLETE, [this.origin, kid, publicKeyPem]));
  }

  override close(): Promise<void> {
    this.closing ??= this.pool.end();
    return this.closing;
  }

  private async lock(client: PoolClient): Promise<void> {
    for (const deadline = performance.now() + LOCK_WAIT_MS; ; await delay(LOCK_PAUSE_MS)) {
      const { rows } = await this.asked(() => client.query<{ locked: boolean }>(LOCK, [this.origin]));
      if (rows[0]?.locked === true) return;
      if (performance.now() > deadline) {
        throw new SignerError('signing_unavailable', 'Another key is being made; try again shortly');
      }
    }
  }

  private async asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof SignerError) throw error;
      throw new SignerError(
        'signing_unavailable',
        `The list of keys that were made cannot be reached: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }
}
