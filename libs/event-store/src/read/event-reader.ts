import { eventQuery, type EventFilter, type PageRow } from './event-query.sql';
import { type EventRow, storedEvent } from './event-row';
import { decodeCursor, encodeCursor } from './query-cursor';
import { EventStoreError } from '../event-store.error';
import { type EventPage, type EventQuery, type ShardHead, type StoredEvent } from '../event-store.types';
import { DEFAULT_PAGE, MAX_PAGE } from '../limits';
import { type Database, isStorable } from '../postgres/database';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const EVENT_BY_ID = { name: 'kernel_event_by_id', text: 'SELECT kernel.event_by_id($1) AS canonical' };
const STREAM_EVENTS = {
  name: 'kernel_stream_events',
  text: 'SELECT canonical FROM kernel.stream_events($1, $2) AS canonical',
};

/** Reading never needs the head row or the writer: every method is one statement. */
export class EventReader {
  constructor(
    private readonly database: Database,
    private readonly shards: number,
  ) {}

  async getById(id: string): Promise<StoredEvent | null> {
    // Anything else is the id of nothing, and PostgreSQL would refuse to compare it.
    if (!UUID.test(id)) return null;
    const [row] = await this.database.query<{ canonical: Buffer | null }>(EVENT_BY_ID, [id]);
    const canonical = row?.canonical;
    return canonical ? storedEvent({ canonical }) : null;
  }

  async loadStream(stream: string, fromVersion: number): Promise<StoredEvent[]> {
    if (!isStorable(stream)) return [];
    return (await this.database.query<EventRow>(STREAM_EVENTS, [stream, fromVersion])).map(storedEvent);
  }

  async read(shard: number, afterSeq: number, limit: number, division?: string): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(
      `SELECT canonical FROM kernel.events WHERE shard = $1 AND seq > $2 ${division === undefined ? '' : 'AND division = $4'}
       ORDER BY seq LIMIT $3`,
      [shard, afterSeq, limit, ...(division === undefined ? [] : [division])],
    );
    return rows.map(storedEvent);
  }

  async byIds(ids: readonly string[]): Promise<StoredEvent[]> {
    const rows = await this.database.query<EventRow>(
      'SELECT canonical FROM kernel.events WHERE id = ANY ($1) ORDER BY shard, seq',
      [ids],
    );
    return rows.map(storedEvent);
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

  /**
   * In the order of their time, within a shard in the order of `seq` (or, for one stream, of its versions: the same).
   */
  async query(query: EventQuery, shardOf: (stream: string) => number): Promise<EventPage> {
    const { cursor, limit = DEFAULT_PAGE, order = 'oldest', ...rest } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw invalid('/limit', `The limit must be an integer from 1 to ${MAX_PAGE}.`);
    }
    if (order !== 'oldest' && order !== 'newest') throw invalid('/order', 'The order is oldest or newest.');
    const filter = checkedFilter(rest);
    const bounds =
      cursor === undefined ? new Map<number, number>() : decodeCursor(cursor, filter, order, this.shards);
    const shards = filter.stream === undefined ? [...Array(this.shards).keys()] : [shardOf(filter.stream)];
    const { text, values } = eventQuery({ filter, order, bounds, shards, rows: limit + 1 });
    const rows = (await this.database.query<PageRow>(text, values)).map((row) => ({
      ...row,
      place: Number(row.place),
      ms: Number(row.ts_ms),
    }));
    const direction = order === 'oldest' ? 1 : -1;
    rows.sort((a, b) => direction * (a.ms - b.ms || a.shard - b.shard || a.place - b.place));
    const page = rows.slice(0, limit);
    if (rows.length <= limit) return { events: page.map(storedEvent), nextCursor: null };

    const places = new Map(bounds);
    for (const { shard, place } of page) places.set(shard, place);
    // Newest first: what arrives after this page belongs before it. A shard that gave nothing out yet starts below its
    // newest row of now, and one without a row has nothing to give at all.
    if (order === 'newest') {
      for (const shard of shards) {
        if (places.has(shard)) continue;
        const first = rows.find((row) => row.shard === shard);
        places.set(shard, first ? first.place + 1 : 0);
      }
    }
    return { events: page.map(storedEvent), nextCursor: encodeCursor(filter, order, places) };
  }
}

/** Values that PostgreSQL takes; times as it understands them. */
function checkedFilter({ stream, type, actor, division, from, to }: EventFilter): EventFilter {
  const filter: EventFilter = {};
  for (const [name, value] of Object.entries({ stream, type, actor, division })) {
    if (value === undefined) continue;
    if (typeof value !== 'string' || !isStorable(value)) {
      throw invalid(`/${name}`, `The filter ${name} is no text that an event could hold.`);
    }
    filter[name as 'stream'] = value;
  }
  for (const [name, value] of Object.entries({ from, to })) {
    if (value === undefined) continue;
    filter[name as 'from'] = instant(name, value);
  }
  return filter;
}

/** RFC 3339 section 5.6: a date and a time with its offset; both letters may be lower case. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function instant(name: string, value: string): string {
  const date = new Date(RFC_3339.test(value) ? value.toUpperCase() : NaN);
  if (Number.isNaN(date.getTime())) {
    throw invalid(`/${name}`, `${name} must be an RFC 3339 time such as 2026-01-31T10:00:00Z.`);
  }
  return date.toISOString();
}

function invalid(pointer: string, message: string): EventStoreError {
  return new EventStoreError('invalid_request', message, { pointer });
}
