import { genesisHash } from '#evidence';
import { type StreamPosition } from '../audit-stream';
import { PositionMoved, type VerifiedEvent } from '../shard-handler';

/** Runs one statement and returns its rows, as TypeORM's DataSource, EntityManager and QueryRunner do. */
export interface SqlSource {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/**
 * Moves a position ($1 consumer, $2 shard) from $3, $4 (seq, hash) to $5..$8 (seq, hash, cursor, time of the event) and
 * returns a row if it was at the former. As part of the statement with the effect (`WITH moved AS (...)`), both happen
 * or neither does.
 */
export const MOVE_POSITION = `
  INSERT INTO kernel.stream_positions AS p (consumer, shard, seq, hash, cursor, event_ts)
  SELECT $1::text, $2::integer, $5::bigint, $6::bytea, $7::text, $8::timestamptz
  WHERE $3::bigint = 0 OR EXISTS (SELECT FROM kernel.stream_positions s WHERE s.consumer = $1 AND s.shard = $2)
  ON CONFLICT (consumer, shard) DO UPDATE
    SET seq = excluded.seq, hash = excluded.hash, cursor = excluded.cursor, event_ts = excluded.event_ts,
        updated_at = clock_timestamp()
    WHERE p.seq = $3 AND p.hash = $4::bytea
  RETURNING p.shard`;

/** Parameters of MOVE_POSITION: from directly before the events to the last of them. */
export function movePositionValues(consumer: string, events: readonly VerifiedEvent[]): unknown[] {
  const first = events[0];
  const last = events.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('A position moves with an event.');
  return valuesOfMove(consumer, { seq: first.event.seq - 1, hash: first.event.prevHash }, last);
}

function valuesOfMove(consumer: string, from: ChainPlace, last: VerifiedEvent): unknown[] {
  return [
    consumer,
    last.event.shard,
    from.seq,
    Buffer.from(from.hash, 'hex'),
    last.event.seq,
    Buffer.from(last.event.hash, 'hex'),
    last.nextCursor,
    last.event.ts,
  ];
}

/** A place in a shard's chain: what a position says of it. */
export type ChainPlace = Pick<StreamPosition, 'seq' | 'hash'>;

/** Positions of one consumer of the stream (table kernel.stream_positions). */
export class StreamPositions {
  constructor(
    private readonly sql: SqlSource,
    readonly consumer: string,
    private readonly origin: string,
  ) {}

  async read(shard: number): Promise<StreamPosition> {
    const [row] = (await this.sql.query(
      `SELECT seq, encode(hash, 'hex') AS hash, cursor FROM kernel.stream_positions WHERE consumer = $1 AND shard = $2`,
      [this.consumer, shard],
    )) as { seq: string; hash: string; cursor: string | null }[];
    if (row === undefined) return { seq: 0, hash: genesisHash(this.origin, shard), cursor: null };
    return { seq: Number(row.seq), hash: row.hash, cursor: row.cursor };
  }

  /**
   * Moves over the events: for an effect that is outside the database and complete.
   * @throws PositionMoved when the position was not directly before them
   */
  async move(events: readonly VerifiedEvent[]): Promise<void> {
    const moved = (await this.sql.query(
      MOVE_POSITION,
      movePositionValues(this.consumer, events),
    )) as unknown[];
    if (moved.length === 0) throw positionMoved(this.consumer, events);
  }

  /**
   * Moves from a place to an event further on, for a consumer that does not keep the events between them.
   * @throws PositionMoved when the position was not at that place
   */
  async moveFrom(from: ChainPlace, last: VerifiedEvent): Promise<void> {
    const moved = (await this.sql.query(MOVE_POSITION, valuesOfMove(this.consumer, from, last))) as unknown[];
    if (moved.length === 0) throw movedFrom(this.consumer, last.event.shard, from.seq);
  }
}

export function positionMoved(consumer: string, events: readonly VerifiedEvent[]): PositionMoved {
  const { shard = -1, seq = 0 } = events[0]?.event ?? {};
  return movedFrom(consumer, shard, seq - 1);
}

function movedFrom(consumer: string, shard: number, seq: number): PositionMoved {
  return new PositionMoved(
    `The position of ${consumer} in shard ${shard} is no longer ${seq}: another process was first.`,
  );
}
