import { Database, type DataSource, type QueryRunner } from '#platform/postgres';
import { IntegrityFault, type VerifiedEvent } from '../shard-handler';
import { genesisHash } from '#evidence';
import { faultOf, INDEX_CONSUMER } from './index-writer';
import { type DivisionOf, ROW_COLUMNS, rowsFrom, rowValues } from './index-rows';

export interface IndexRebuildOptions {
  /** Initialised, as the workers' role, without a statement timeout: creating the indexes takes time. */
  readonly dataSource: DataSource;
  readonly origin: string;
  readonly shards: number;
  readonly divisionOf: DivisionOf;
  /** Discard what an interrupted rebuild has left, instead of continuing it. */
  readonly fresh?: boolean;
  /** Silence of the server after which a batch is abandoned; default 60 s. */
  readonly timeoutMs?: number;
}

/** The end of a shard in the table that is being built. */
export interface RebuiltHead {
  readonly shard: number;
  /** 0 when it has no event. */
  readonly seq: number;
  readonly hash: string;
  /** Time of the last event; null when there is none. */
  readonly ts: string | null;
}

const BATCH_TIMEOUT_MS = 60_000;
/** Longest delay of the index's readers behind a swap that waits for one of them. */
const SWAP_LOCK_MS = 2_000;
const SWAP_ATTEMPTS = 30;
const LOCK = `hashtextextended('illuvrse-kernel/rebuild-index', 0)`;

const ADD = {
  name: 'kernel_index_rebuild_add',
  text: `INSERT INTO kernel_index.events_next ${ROW_COLUMNS} ${rowsFrom(1)}`,
};

/**
 * Rebuilds the index in a table of its own, and replaces the active one in a single transaction: until then readers see
 * the old one, and a rebuild that fails has changed nothing. An interrupted rebuild is continued: its table contains
 * only verified events, and says where it ends.
 */
export class IndexRebuild {
  private readonly database: Database;

  private constructor(
    private readonly options: IndexRebuildOptions,
    private readonly session: QueryRunner,
  ) {
    this.database = new Database(options.dataSource, options.timeoutMs ?? BATCH_TIMEOUT_MS);
  }

  /** @throws Error when another rebuild is running */
  static async begin(options: IndexRebuildOptions): Promise<IndexRebuild> {
    const session = options.dataSource.createQueryRunner();
    try {
      // Held by the session: it ends with this process, however that ends.
      const [row] = (await session.query(`SELECT pg_try_advisory_lock(${LOCK}) AS held`)) as {
        held: boolean;
      }[];
      if (row?.held !== true) {
        throw new Error('Another process is rebuilding the index; wait for it, or stop it first.');
      }
      if (options.fresh === true) await session.query('SELECT kernel_index.rebuild_discard()');
      await session.query('SELECT kernel_index.rebuild_begin()');
      return new IndexRebuild(options, session);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** Current end of each shard. */
  async heads(): Promise<RebuiltHead[]> {
    const rows = (await this.session.query(
      `SELECT s.shard, last.seq, encode(last.hash, 'hex') AS hash, last.ts
       FROM generate_series(0, $1::integer - 1) AS s(shard)
       LEFT JOIN LATERAL (
         SELECT e.seq, e.hash, e.ts FROM kernel_index.events_next e WHERE e.shard = s.shard ORDER BY e.seq DESC LIMIT 1
       ) last ON true ORDER BY 1`,
      [this.options.shards],
    )) as { shard: number; seq: string | null; hash: string | null; ts: Date | null }[];
    return rows.map(({ shard, seq, hash, ts }) => ({
      shard,
      seq: Number(seq ?? 0),
      hash: hash ?? genesisHash(this.options.origin, shard),
      ts: ts?.toISOString() ?? null,
    }));
  }

  /** Hashes of events in the table built so far. */
  async storedHashes(shard: number, seqs: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const rows = (await this.session.query(
      `SELECT seq, encode(hash, 'hex') AS hash FROM kernel_index.events_next
       WHERE shard = $1 AND seq = ANY ($2::bigint[])`,
      [shard, seqs],
    )) as { seq: string; hash: string }[];
    return new Map(rows.map(({ seq, hash }) => [Number(seq), hash]));
  }

  /** Adds verified events, directly after the existing ones. @throws IntegrityFault */
  async add(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    if (events.length === 0) return;
    try {
      await this.database.step(ADD, rowValues(shard, events, this.options.divisionOf));
    } catch (error) {
      throw faultOf(shard, events, error) ?? error;
    }
  }

  /**
   * Creates the indexes, which finds ids and places in streams that occur twice, and checks that no stream has a gap.
   * @throws IntegrityFault
   */
  async complete(): Promise<void> {
    try {
      await this.session.query('SELECT kernel_index.rebuild_complete()');
    } catch (error) {
      const { code, detail, message } = error as Error & { code?: string; detail?: string };
      if (code !== '23505') throw error;
      throw new IntegrityFault(
        'fork',
        -1,
        null,
        `Two of the events have the same id, or the same place in a stream: ${detail ?? message}.`,
        { cause: error },
      );
    }
    const [hole] = (await this.session.query(
      `SELECT stream, count(*) AS events, max(stream_version) AS last
       FROM kernel_index.events_next GROUP BY stream HAVING count(*) <> max(stream_version) LIMIT 1`,
    )) as { stream: string; events: string; last: string }[];
    if (hole !== undefined) {
      throw new IntegrityFault(
        'gap',
        -1,
        null,
        `The stream ${hole.stream} has ${hole.events} events, but its last one says it is number ${hole.last}.`,
      );
    }
  }

  /**
   * Makes the table the active one and sets the indexer's positions to its ends. The indexer may be running: it finds
   * its position moved and continues from the new one.
   * @param cursors of a source that is the stream itself: where reading continues, by shard
   */
  async swap(cursors: ReadonlyMap<number, string> = new Map()): Promise<void> {
    const values = [INDEX_CONSUMER, JSON.stringify(Object.fromEntries(cursors))];
    for (let attempt = 1; ; attempt++) {
      await this.session.startTransaction();
      try {
        await this.session.query(`SET LOCAL lock_timeout = ${SWAP_LOCK_MS}`);
        await this.session.query('SELECT kernel_index.rebuild_swap($1, $2::jsonb)', values);
        await this.session.commitTransaction();
        return;
      } catch (error) {
        await this.session.rollbackTransaction();
        if ((error as { code?: string }).code !== '55P03' || attempt === SWAP_ATTEMPTS) throw error;
      }
    }
  }

  /** Ends the rebuild; a table that was built and not swapped stays for the next one. */
  async close(): Promise<void> {
    await this.session.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined);
    await this.session.release();
  }
}
