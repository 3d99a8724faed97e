import { DEFAULT_LIMITS } from '#platform/event-store';
import { Database, type DataSource, PostgresError, type Statement } from '#platform/postgres';
import { type StreamPosition } from '../audit-stream';
import { MOVE_POSITION, movePositionValues, positionMoved } from '../positions/stream-positions';
import { IntegrityFault, type ShardHandler, type VerifiedEvent } from '../shard-handler';
import { genesisHash } from '#evidence';
import { type DivisionOf, ROW_COLUMNS, rowsFrom, rowValues } from './index-rows';

/** Its name in kernel.stream_positions. */
export const INDEX_CONSUMER = 'indexer';

export interface IndexWriterOptions {
  /** Initialised, as the workers' role; owned by the caller. */
  readonly dataSource: DataSource;
  readonly origin: string;
  readonly divisionOf: DivisionOf;
  /** Longest duration of a batch before its connection is abandoned; default as in the event store. */
  readonly timeoutMs?: number;
}

/** Position and effect in one statement, and so in one transaction: both or neither. */
const APPLY: Statement = {
  name: 'kernel_index_apply',
  text: `
    WITH moved AS (${MOVE_POSITION}), added AS (
      INSERT INTO kernel_index.events ${ROW_COLUMNS}
      SELECT r.* FROM moved, LATERAL (${rowsFrom(9)}) r
    )
    SELECT shard FROM moved`,
};

const POSITION: Statement = {
  name: 'kernel_index_position',
  text: `
    SELECT p.seq, encode(p.hash, 'hex') AS hash, p.cursor, last.seq AS last_seq, encode(last.hash, 'hex') AS last_hash
    FROM (SELECT) AS one
    LEFT JOIN kernel.stream_positions p ON p.consumer = $1 AND p.shard = $2
    LEFT JOIN LATERAL (
      SELECT e.seq, e.hash FROM kernel_index.events e WHERE e.shard = $2 ORDER BY e.seq DESC LIMIT 1
    ) last ON true`,
};

const STORED_HASHES: Statement = {
  name: 'kernel_index_hashes',
  text: `SELECT seq, encode(hash, 'hex') AS hash FROM kernel_index.events WHERE shard = $1 AND seq = ANY ($2::bigint[])`,
};

interface PositionRow {
  seq: string | null;
  hash: string | null;
  cursor: string | null;
  last_seq: string | null;
  last_hash: string | null;
}

/** The indexer's handler: puts verified events into the audit index. */
export class IndexWriter implements ShardHandler {
  private readonly database: Database;

  constructor(private readonly options: IndexWriterOptions) {
    this.database = new Database(options.dataSource, options.timeoutMs ?? DEFAULT_LIMITS.storeTimeoutMs);
  }

  /** @throws IntegrityFault when the index does not end where the position says */
  async position(shard: number): Promise<StreamPosition> {
    const [row] = await this.database.step<PositionRow>(POSITION, [INDEX_CONSUMER, shard]);
    const position =
      row?.seq === undefined || row.seq === null || row.hash === null
        ? { seq: 0, hash: genesisHash(this.options.origin, shard), cursor: null }
        : { seq: Number(row.seq), hash: row.hash, cursor: row.cursor };
    const last = Number(row?.last_seq ?? 0);
    if (last !== position.seq || (last > 0 && row?.last_hash !== position.hash)) {
      throw new IntegrityFault(
        last < position.seq ? 'gap' : 'fork',
        shard,
        position.seq,
        last === position.seq
          ? `Shard ${shard}: the index ends at position ${last} with hash ${row?.last_hash}, the indexer's position says ${position.hash}; rebuild it with ./kernel replay --to index.`
          : `Shard ${shard}: the index ends at position ${last}, the indexer's position says ${position.seq}: somebody changed one of them; rebuild the index with ./kernel replay --to index.`,
      );
    }
    return position;
  }

  async apply(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    if (events.length === 0) return;
    const values = [
      ...movePositionValues(INDEX_CONSUMER, events),
      ...rowValues(shard, events, this.options.divisionOf),
    ];
    let moved: object[];
    try {
      moved = await this.database.step(APPLY, values);
    } catch (error) {
      throw faultOf(shard, events, error) ?? error;
    }
    if (moved.length === 0) throw positionMoved(INDEX_CONSUMER, events);
  }

  readonly storedHashes = async (
    shard: number,
    seqs: readonly number[],
  ): Promise<ReadonlyMap<number, string>> => {
    const rows = await this.database.step<{ seq: string; hash: string }>(STORED_HASHES, [shard, seqs]);
    return new Map(rows.map(({ seq, hash }) => [Number(seq), hash]));
  };
}

/** A row that the table's own guards refuse contradicts the chain; a retry does not help. */
export function faultOf(
  shard: number,
  events: readonly VerifiedEvent[],
  error: unknown,
): IntegrityFault | null {
  if (!(error instanceof PostgresError)) return null;
  const first = events[0]?.event.seq ?? 0;
  const last = events.at(-1)?.event.seq ?? 0;
  const among = `Shard ${shard}: among the events at positions ${first} to ${last}`;
  if (error.code === 'unique_violation') {
    const what =
      error.constraint?.endsWith('_id_key') === true
        ? 'is one whose id the index has at another position'
        : error.constraint?.endsWith('_stream_version_key') === true
          ? 'is one whose place in its stream another event has'
          : 'is one whose position the index has filled already';
    return new IntegrityFault('fork', shard, first, `${among} ${what} (${error.message}).`, { cause: error });
  }
  const { code } = (error.cause ?? {}) as { code?: string };
  if (code !== '23001') return null;
  return new IntegrityFault(
    'gap',
    shard,
    first,
    `Shard ${shard}: the index lacks what comes before position ${first}: somebody removed it; rebuild the index with ./kernel replay --to index.`,
    { cause: error },
  );
}
