import { type Pool, type Statement } from '#platform/postgres';
import { type HighWaterMark, reasonOf, SignerError } from '#platform/signer';
import { type BatchStart, judgeStart, type MarkVerdict } from './high-water-mark';
import { MarkStore, type RestoreWindow } from './mark-store';
import { openSharedDatabase } from './shared-database';

/** A batch asks once for each of its shards; more connections than cores that sign are no use. */
const CONNECTIONS = 8;

/** Replicas that start together take turns: IF NOT EXISTS alone does not order them. */
const SETUP = `
  BEGIN;
  SELECT pg_advisory_xact_lock(hashtextextended('illuvrse-kernel/signing-marks', 0));
  CREATE TABLE IF NOT EXISTS signing_marks (
    origin text NOT NULL,
    shard integer NOT NULL,
    seq bigint NOT NULL,
    "window" jsonb,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin, shard)
  );
  COMMIT`;

/** The row lock orders the replicas. A mark that does not move is read without one, and nothing is written. */
const RAISE: Statement = {
  name: 'mark_raise',
  text: `
  INSERT INTO signing_marks AS m (origin, shard, seq) VALUES ($1, $2, $3)
  ON CONFLICT (origin, shard) DO UPDATE SET seq = excluded.seq, changed_at = now()
    WHERE m.seq < excluded.seq AND $4 > m.seq
  RETURNING m.seq`,
};
const READ: Statement = {
  name: 'mark_read',
  text: 'SELECT shard, seq, "window" FROM signing_marks WHERE origin = $1 AND shard = $2',
};
const READ_ALL: Statement = {
  name: 'mark_read_all',
  text: 'SELECT shard, seq, "window" FROM signing_marks WHERE origin = $1 ORDER BY shard',
};
const USE_WINDOW: Statement = {
  name: 'mark_use_window',
  text: `
  UPDATE signing_marks SET seq = $4, "window" = NULL, changed_at = now()
  WHERE origin = $1 AND shard = $2 AND seq = $3 AND "window" = $5::jsonb
  RETURNING shard`,
};
const OPEN: Statement = {
  name: 'mark_open',
  text: `
  UPDATE signing_marks SET "window" = $4::jsonb, changed_at = now()
  WHERE origin = $1 AND shard = $2 AND seq > $3
  RETURNING shard, seq, "window"`,
};

interface Row {
  shard: number;
  seq: string;
  window: HighWaterMark['window'];
}

/** Marks in a PostgreSQL database that all replicas share; not the event store's, nor one that is restored with it. */
export class PostgresMarks extends MarkStore {
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly pool: Pool,
    private readonly origin: string,
    private readonly now: () => number,
  ) {
    super();
  }

  /** @throws SignerError `misconfigured` when the database cannot be used */
  static async open(url: string, origin: string, now: () => number = Date.now): Promise<PostgresMarks> {
    const pool = openSharedDatabase(url, 'signing-proxy', CONNECTIONS);
    try {
      const { rows } = await pool.query<{ chain: string | null; marks: string | null }>(
        "SELECT to_regclass('kernel.events')::text AS chain, to_regclass('signing_marks')::text AS marks",
      );
      if (typeof rows[0]?.chain === 'string') {
        throw new Error('it is the database of the event store, and would be put back together with it');
      }
      // A role without the right to create tables is enough when the table exists.
      if (typeof rows[0]?.marks !== 'string') await pool.query(SETUP);
      return new PostgresMarks(pool, origin, now);
    } catch (error) {
      await pool.end();
      throw new SignerError(
        'misconfigured',
        `KERNEL_SIGNING_MARKS_DATABASE_URL cannot be used: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }

  override async judge(starts: readonly BatchStart[]): Promise<MarkVerdict[]> {
    return Promise.all(starts.map((start) => this.judgeOne(start)));
  }

  override async marks(): Promise<HighWaterMark[]> {
    return (await this.query<Row>(READ_ALL, [this.origin])).map(markOf);
  }

  override async open({ shard, ...window }: RestoreWindow): Promise<HighWaterMark | null> {
    const [row] = await this.query<Row>(OPEN, [this.origin, shard, window.seq, JSON.stringify(window)]);
    return row === undefined ? null : markOf(row);
  }

  override close(): Promise<void> {
    this.closing ??= this.pool.end();
    return this.closing;
  }

  private async judgeOne(start: BatchStart): Promise<MarkVerdict> {
    const { shard, committed } = start;
    // Usually the mark rises, and that is the only statement.
    const raised = await this.query(RAISE, [this.origin, shard, committed, start.start]);
    if (raised.length > 0) {
      return { permitted: true, mark: { shard, seq: committed, window: null }, reopened: false };
    }
    const [row] = await this.query<Row>(READ, [this.origin, shard]);
    if (row === undefined) throw new SignerError('signing_unavailable', `The mark of shard ${shard} is gone`);
    const mark = markOf(row);
    const verdict = judgeStart(mark, start, this.now());
    if (!verdict.permitted || !verdict.reopened) return verdict;
    const window = JSON.stringify(mark.window);
    const used = await this.query(USE_WINDOW, [this.origin, shard, mark.seq, verdict.mark.seq, window]);
    // Another replica has used it meanwhile: its result counts.
    return used.length > 0 ? verdict : this.judgeOne(start);
  }

  /** @throws SignerError `signing_unavailable` */
  private async query<T extends object>(statement: Statement, values: unknown[]): Promise<T[]> {
    try {
      return (await this.pool.query<T>({ ...statement, values })).rows;
    } catch (error) {
      throw new SignerError(
        'signing_unavailable',
        `The database of the high-water marks does not answer: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }
}

function markOf({ shard, seq, window }: Row): HighWaterMark {
  return { shard, seq: Number(seq), window };
}
