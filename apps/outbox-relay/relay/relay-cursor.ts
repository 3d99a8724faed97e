import { type Database } from '#platform/postgres';

/** The last event of a shard that the stream is known to have. */
export interface Cursor {
  readonly seq: number;
  /** Hex; the genesis value at 0. */
  readonly hash: string;
}

const TAKE_UP = {
  name: 'relay_take_up',
  text: `INSERT INTO kernel.relay_cursors AS c (shard, seq, hash, epoch, event_ts, updated_at)
    VALUES ($1, 0, decode($2, 'hex'), $3, NULL, clock_timestamp())
    ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, updated_at = excluded.updated_at
    WHERE c.epoch <= excluded.epoch
    RETURNING seq, encode(hash, 'hex') AS hash`,
};

const MOVE = {
  name: 'relay_move',
  text: `WITH moved AS (
      UPDATE kernel.relay_cursors
      SET seq = $4, hash = decode($5, 'hex'), event_ts = $6, updated_at = clock_timestamp()
      WHERE shard = $1 AND epoch = $2 AND seq IN ($3, $4)
      RETURNING shard)
    SELECT pg_notify('kernel_stream', shard::text) FROM moved`,
};

/** Position of the stream, and the fence around it: the row carries the epoch of the one relay that may move it. */
export class RelayCursor {
  constructor(
    private readonly database: Database,
    private readonly shard: number,
    private readonly epoch: number,
    private readonly genesis: string,
  ) {}

  /**
   * Puts this term's epoch on the row. From then on no statement of an earlier term can move it, whenever it arrives.
   * Null when a later term was first.
   */
  async takeUp(): Promise<Cursor | null> {
    const [row] = await this.database.step<{ seq: string; hash: string }>(TAKE_UP, [
      this.shard,
      this.genesis,
      this.epoch,
    ]);
    return row === undefined ? null : { seq: Number(row.seq), hash: row.hash };
  }

  /**
   * Compares and sets, in one statement that also wakes those who wait for the stream. Moving to where it already is in
   * this epoch succeeds too: the answer to an earlier attempt may have been lost.
   *
   * @returns false when the row is another term's
   */
  async move(from: Cursor, to: Cursor, eventTs: string): Promise<boolean> {
    const rows = await this.database.step(MOVE, [this.shard, this.epoch, from.seq, to.seq, to.hash, eventTs]);
    return rows.length === 1;
  }
}
