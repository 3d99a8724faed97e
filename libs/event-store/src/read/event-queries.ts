import { type Database, isStorable } from '../postgres/database';
import { EventStoreError } from '../event-store.error';
import { type EventPage, type EventQuery } from '../event-store.types';
import { DEFAULT_PAGE, MAX_PAGE } from '../limits';
import { eventQuery, type EventFilter, type PageRow, type QuerySchema } from './event-query.sql';
import { storedEvent } from './event-row';
import { decodeCursor, encodeCursor } from './query-cursor';

/** Pages of events that match a filter. */
export class EventQueries {
  constructor(
    private readonly database: Database,
    private readonly shards: number,
    private readonly schema: QuerySchema,
  ) {}

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
    const { text, values } = eventQuery({
      schema: this.schema,
      filter,
      order,
      bounds,
      shards,
      rows: limit + 1,
    });
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
