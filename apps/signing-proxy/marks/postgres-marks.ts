import { type Pool, type Statement } from '#platform/postgres';
import { type Secret } from '#platform/process';
import {
  type HighWaterMark,
  type LastCheckpoint,
  reasonOf,
  SignerError,
  type TreeHead,
} from '#platform/signer';
import { type BatchStart, judgeStart, type MarkVerdict, signedAtMost, unmarked } from './high-water-mark';
import { type LogState, MarkStore, type RestoreWindow } from './mark-store';
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
  ALTER TABLE signing_marks
    ADD COLUMN IF NOT EXISTS signed bigint,
    ADD COLUMN IF NOT EXISTS checkpoint_size bigint,
    ADD COLUMN IF NOT EXISTS checkpoint_root text;
  UPDATE signing_marks SET signed = seq + ${signedAtMost(0)} WHERE signed IS NULL;
  ALTER TABLE signing_marks ALTER COLUMN signed SET NOT NULL;
  COMMIT`;

/**
 * The rule of judgeStart, for what needs no window. The row lock orders the replicas; when nothing moves, nothing is written.
 * A shard without a row starts at its first position: anything else needs an operator.
 */
const RAISE: Statement = {
  name: 'mark_raise',
  text: `
  INSERT INTO signing_marks AS m (origin, shard, seq, signed)
    SELECT $1::text, $2::integer, $3::bigint, $5::bigint
    WHERE $3::bigint = 0 OR EXISTS (SELECT FROM signing_marks WHERE origin = $1 AND shard = $2)
  ON CONFLICT (origin, shard) DO UPDATE
    SET seq = greatest(m.seq, excluded.seq), signed = greatest(m.signed, excluded.signed), changed_at = now()
    WHERE $4::bigint > m.seq AND excluded.seq <= m.signed
      AND (m.seq < excluded.seq OR m.signed < excluded.signed)
  RETURNING shard, seq, signed, "window"`,
};
const READ: Statement = {
  name: 'mark_read',
  text: 'SELECT shard, seq, signed, "window" FROM signing_marks WHERE origin = $1 AND shard = $2',
};
const READ_ALL: Statement = {
  name: 'mark_read_all',
  text: 'SELECT shard, seq, signed, "window" FROM signing_marks WHERE origin = $1 ORDER BY shard',
};
const USE_WINDOW: Statement = {
  name: 'mark_use_window',
  text: `
  UPDATE signing_marks SET seq = $4, signed = $5, "window" = NULL, changed_at = now()
  WHERE origin = $1 AND shard = $2 AND seq = $3 AND "window" = $6::jsonb
  RETURNING shard`,
};
const OPEN: Statement = {
  name: 'mark_open',
  text: `
  INSERT INTO signing_marks AS m (origin, shard, seq, signed, "window")
    SELECT $1::text, $2::integer, 0, 0, $4::jsonb
    WHERE $3::bigint > 0 OR EXISTS (SELECT FROM signing_marks WHERE origin = $1 AND shard = $2)
  ON CONFLICT (origin, shard) DO UPDATE SET "window" = excluded."window", changed_at = now()
    WHERE $3::bigint < m.seq OR $3::bigint > m.signed
  RETURNING shard, seq, signed, "window"`,
};
const READ_LOG: Statement = {
  name: 'mark_read_log',
  text: `
  SELECT signed, checkpoint_size AS size, checkpoint_root AS root
  FROM signing_marks WHERE origin = $1 AND shard = $2`,
};
const READ_LOGS: Statement = {
  name: 'mark_read_logs',
  text: `
  SELECT shard, checkpoint_size AS size, checkpoint_root AS root
  FROM signing_marks WHERE origin = $1 AND checkpoint_size IS NOT NULL ORDER BY shard`,
};
/** Compared and set in one statement: of two replicas that decided from the same state, one wins. */
const SET_CHECKPOINT: Statement = {
  name: 'mark_set_checkpoint',
  text: `
  INSERT INTO signing_marks AS m (origin, shard, seq, signed, checkpoint_size, checkpoint_root)
    SELECT $1::text, $2::integer, 0, 0, $3::bigint, $4::text
    WHERE $5::bigint IS NULL OR EXISTS (SELECT FROM signing_marks WHERE origin = $1 AND shard = $2)
  ON CONFLICT (origin, shard) DO UPDATE
    SET checkpoint_size = excluded.checkpoint_size, checkpoint_root = excluded.checkpoint_root, changed_at = now()
    WHERE m.checkpoint_size IS NOT DISTINCT FROM $5::bigint AND m.checkpoint_root IS NOT DISTINCT FROM $6::text
  RETURNING shard`,
};
/** Each attempt that fails means that another one succeeded; nobody publishes that often. */
const MAX_DECISIONS = 16;

interface Row {
  shard: number;
  seq: string;
  signed: string;
  window: HighWaterMark['window'];
}

interface LogRow {
  shard: number;
  size: string | null;
  root: string | null;
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
  static async open(url: Secret, origin: string, now: () => number = Date.now): Promise<PostgresMarks> {
    const pool = openSharedDatabase(url, 'signing-proxy', CONNECTIONS);
    try {
      const { rows } = await pool.query<{ chain: string | null; complete: boolean }>(
        `SELECT to_regclass('kernel.events')::text AS chain, EXISTS (
           SELECT FROM pg_attribute WHERE attrelid = to_regclass('signing_marks') AND attname = 'checkpoint_root'
         ) AS complete`,
      );
      if (typeof rows[0]?.chain === 'string') {
        throw new Error('it is the database of the event store, and would be put back together with it');
      }
      // A role without the right to create tables is enough when the table exists.
      if (rows[0]?.complete !== true) await pool.query(SETUP);
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

  override async checkpoints(): Promise<LastCheckpoint[]> {
    const rows = await this.query<LogRow>(READ_LOGS, [this.origin]);
    return rows.map(({ shard, size, root }) => ({ shard, size: Number(size), root: String(root) }));
  }

  override async checkpoint(shard: number, decide: (known: LogState) => TreeHead | null): Promise<void> {
    for (let decisions = 0; decisions < MAX_DECISIONS; decisions++) {
      const [row] = await this.query<LogRow & { signed: string }>(READ_LOG, [this.origin, shard]);
      const last =
        row === undefined || row.size === null || row.root === null
          ? null
          : { size: Number(row.size), root: row.root };
      const chosen = decide({ signed: Number(row?.signed ?? 0), last });
      if (chosen === null || (chosen.size === last?.size && chosen.root === last.root)) return;
      const known = [last?.size ?? null, last?.root ?? null];
      const set = await this.query(SET_CHECKPOINT, [this.origin, shard, chosen.size, chosen.root, ...known]);
      if (set.length > 0) return;
    }
    throw new SignerError('signing_unavailable', `Others keep signing checkpoints of shard ${shard}`);
  }

  override close(): Promise<void> {
    this.closing ??= this.pool.end();
    return this.closing;
  }

  private async judgeOne(start: BatchStart): Promise<MarkVerdict> {
    const { shard, committed, end } = start;
    // Usually something rises, and that is the only statement.
    const [raised] = await this.query<Row>(RAISE, [this.origin, shard, committed, start.start, end]);
    if (raised !== undefined) return { permitted: true, mark: markOf(raised), reopened: false };
    const [row] = await this.query<Row>(READ, [this.origin, shard]);
    const mark = row === undefined ? unmarked(shard) : markOf(row);
    const verdict = judgeStart(mark, start, this.now());
    if (!verdict.permitted) return verdict;
    if (!verdict.reopened) {
      // Nothing had to move. If it had, another replica changed the row in between: once more.
      const { seq, signed } = verdict.mark;
      return seq === mark.seq && signed === mark.signed ? verdict : this.judgeOne(start);
    }
    const window = JSON.stringify(mark.window);
    const moved = [mark.seq, verdict.mark.seq, verdict.mark.signed, window];
    const used = await this.query(USE_WINDOW, [this.origin, shard, ...moved]);
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

function markOf({ shard, seq, signed, window }: Row): HighWaterMark {
  return { shard, seq: Number(seq), signed: Number(signed), window };
}
