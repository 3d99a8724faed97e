import { type EventRow, storedEvent } from './event-row';
import { type ShardHead, type StoredEvent } from '../event-store.types';
import { type Database, isStorable } from '#platform/postgres';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const EVENT_BY_ID = { name: 'kernel_event_by_id', text: 'SELECT kernel.event_by_id($1) AS canonical' };
const STREAM_EVENTS = {
  name: 'kernel_stream_events',
  text: 'SELECT canonical FROM kernel.stream_events($1, $2) AS canonical',
};

/** octet_length() of a large value reads only its header. */
const PAGE = {
  name: 'kernel_page',
  text: `SELECT canonical FROM (
      SELECT seq, canonical, sum(octet_length(canonical)) OVER (ORDER BY seq) - octet_length(canonical) AS before
      FROM (
        SELECT seq, canonical FROM kernel.shard_events($1, $2, $3, NULL)) ahead) page
    WHERE before < $4
    ORDER BY seq`,
};

/** Reading never needs the head row or the writer: every method is one statement. */
export class EventReader {
  constructor(private readonly database: Database) {}

  async getById(id: string): Promise<StoredEvent | null> {
    // Anything else is not an id, and PostgreSQL would refuse to compare it.
    if (!UUID.test(id)) return null;
    const [row] = await this.database.query<{ canonical: Buffer | null }>(EVENT_BY_ID, [id]);
    const canonical = row?.canonical;
    return canonical ? storedEvent({ canonical }) : null;
  }

  async loadStream(stream: string, fromVersion: number): Promise<StoredEvent[]> {
    if (!isStorable(stream)) return [];
    return (await this.database.query<EventRow>(STREAM_EVENTS, [stream, fromVersion])).map(storedEvent);
  }

  async at(shard: number, seq: number): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>('SELECT canonical FROM kernel.event_at($1, $2)', [
      shard,
      seq,
    ]);
    return rows.map(storedEvent);
  }

  async read(shard: number, afterSeq: number, limit: number, division?: string): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(
      'SELECT canonical FROM kernel.shard_events($1, $2, $3, $4) ORDER BY seq',
      [shard, afterSeq, limit, division ?? null],
    );
    return rows.map(storedEvent);
  }

  /** Returns at most so many events, and no further one after so many canonical bytes. At least one, if one exists. */
  async page(
    shard: number,
    afterSeq: number,
    most: { events: number; bytes: number },
  ): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(PAGE, [shard, afterSeq, most.events, most.bytes]);
    return rows.map(storedEvent);
  }

  /**
   * Reads events of some types only: along the index of types, however much else the shard contains. Of a partition that was
   * detached, only the streams that stay are there (docs/adr/0163-a-partition-is-detached-when-all-else-has-it.md).
   */
  async readTypes(
    shard: number,
    afterSeq: number,
    types: readonly string[],
    limit: number,
  ): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(
      `SELECT p.canonical FROM unnest($3::text[]) AS t(type), LATERAL (
         SELECT e.seq, e.canonical FROM kernel.events e
         WHERE e.type = t.type AND e.shard = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $4) p
       ORDER BY p.seq LIMIT $4`,
      [shard, afterSeq, types, limit],
    );
    return rows.map(storedEvent);
  }

  /** See `EventStore.keyFence`. */
  async keyFence(): Promise<number> {
    const [row] = await this.database.query<{ fence: string }>(
      'SELECT fence FROM kernel.shard_head WHERE shard = 0',
      [],
    );
    return Number(row?.fence ?? 0);
  }

  async byIds(ids: readonly string[]): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(
      `SELECT e.canonical FROM kernel.event_keys k, kernel.event_at(k.shard, k.seq) e
       WHERE k.id = ANY ($1) ORDER BY k.shard, k.seq`,
      [ids],
    );
    return rows.map(storedEvent);
  }

  /** The first position of a shard that is not earlier than a time; one after the head when there is none. */
  async firstSeqAt(shard: number, ts: string): Promise<number> {
    const [row] = await this.database.query<{ seq: string }>(
      'SELECT kernel.first_seq_at($1, $2::timestamptz) AS seq',
      [shard, ts],
    );
    return Number(row?.seq);
  }

  /** Positions of the first and the last row that says a key signed it, and how many do: reads that part of the shard once, on the server. */
  async rowsSignedBy(
    kid: string,
    shard: number,
    fromSeq: number,
  ): Promise<{ first: number; last: number; count: number } | null> {
    const [row] = await this.database.query<{ first: string | null; last: string; count: string }>(
      'SELECT first, last, count FROM kernel.signed_range($1, $2, $3)',
      [shard, fromSeq, kid],
    );
    if (row === undefined || row.first === null) return null;
    return { first: Number(row.first), last: Number(row.last), count: Number(row.count) };
  }

  async heads(): Promise<ShardHead[]> {
    const rows = await this.database.query<{ shard: number; seq: string; hash: string; ts: Date | null }>(
      `SELECT shard, seq, encode(hash, 'hex') AS hash, ts FROM kernel.shard_head ORDER BY shard`,
      [],
    );
    return rows.map(({ shard, seq, hash, ts }) => ({
      shard,
      seq: Number(seq),
      hash,
      ts: ts?.toISOString() ?? null,
    }));
  }
}
