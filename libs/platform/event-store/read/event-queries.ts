import { isInstant } from '#evidence';
import { type CheckedReads, type Expected } from '../integrity/checked-reads';
import { type Database, isStorable } from '#platform/postgres';
import { EventStoreError } from '../event-store.error';
import { type EventPage, type EventSearch, type IndexQuery, type StoredEvent } from '../event-store.types';
import { DEFAULT_PAGE, MAX_PAGE } from '../limits';
import { eventQuery, type FollowedFilter, type PageRow, type QuerySchema } from './event-query.sql';
import { storedEvent } from './event-row';
import { SHA256_HEX } from './signed-digest';
import { decodeCursor, encodeCursor } from './query-cursor';

/** Events that a search takes from the database at a time. */
const SEARCH_BATCH = 50;

interface Page {
  events: StoredEvent[];
  /** Whether more rows follow. */
  more: boolean;
  /** Cursor with which the query continues after the first `count` of them. */
  cursorAfter: (count: number) => string;
}

/** Pages of events that match a filter. */
export class EventQueries {
  constructor(
    private readonly database: Database,
    private readonly shards: number,
    private readonly schema: QuerySchema,
    private readonly checked: CheckedReads,
  ) {}

  /**
   * Returns events in the order of time, within a shard in the order of `seq` (for one stream, of its versions: the
   * same).
   */
  async query(query: IndexQuery, shardOf: (stream: string) => number): Promise<EventPage> {
    const { events, more, cursorAfter } = await this.page(query, '', shardOf);
    return { events, nextCursor: more ? cursorAfter(events.length) : null };
  }

  /**
   * Returns a page of the results of `select` for the events of a query, without nulls: a filter over what no column
   * has. A page ends after `examine` events, however little it found.
   */
  async search<T>(
    query: IndexQuery,
    { select, asks, examine }: EventSearch<T>,
    shardOf: (stream: string) => number,
  ): Promise<{ found: T[]; nextCursor: string | null }> {
    const { limit = DEFAULT_PAGE } = query;
    const found: T[] = [];
    let { cursor } = query;
    for (let left = examine; left > 0;) {
      const wanted = {
        ...query,
        limit: Math.min(SEARCH_BATCH, left),
        ...(cursor !== undefined && { cursor }),
      };
      const page = await this.page(wanted, asks, shardOf);
      for (const [at, selected] of (await select(page.events)).entries()) {
        if (selected === null) continue;
        found.push(selected);
        if (found.length < limit) continue;
        const last = !page.more && at === page.events.length - 1;
        return { found, nextCursor: last ? null : page.cursorAfter(at + 1) };
      }
      if (!page.more) return { found, nextCursor: null };
      left -= page.events.length;
      cursor = page.cursorAfter(page.events.length);
    }
    return { found, nextCursor: cursor ?? null };
  }

  /**
   * Returns the next events after a place in each shard, at most `limit` of each shard, in the order of time, within a shard in
   * that of `seq`.
   */
  async after(
    filter: FollowedFilter,
    places: ReadonlyMap<number, number>,
    limit: number,
    shardOf: (stream: string) => number,
  ): Promise<StoredEvent[]> {
    const asked = checkedFilter(filter);
    const { text, values } = eventQuery({
      schema: this.schema,
      filter: asked,
      order: 'oldest',
      bounds: places,
      shards: this.shardsOf(asked, shardOf),
      rows: limit,
      bySeq: true,
    });
    const rows = placed(await this.database.query<PageRow>(text, values), 1);
    return this.checked.check(rows.map(storedEvent), this.asPlaced(asked, rows, true));
  }

  private shardsOf({ stream }: FollowedFilter, shardOf: (stream: string) => number): number[] {
    return stream === undefined ? [...Array(this.shards).keys()] : [shardOf(stream)];
  }

  private async page(query: IndexQuery, asks: string, shardOf: (stream: string) => number): Promise<Page> {
    const { cursor, limit = DEFAULT_PAGE, order = 'oldest', ...rest } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw invalid('/limit', `The limit must be an integer from 1 to ${MAX_PAGE}.`);
    }
    if (order !== 'oldest' && order !== 'newest') throw invalid('/order', 'The order is oldest or newest.');
    const filter = checkedFilter(rest);
    const asked = order + asks;
    const bounds =
      cursor === undefined ? new Map<number, number>() : decodeCursor(cursor, filter, asked, this.shards);
    const shards = this.shardsOf(filter, shardOf);
    const { text, values } = eventQuery({
      schema: this.schema,
      filter,
      order,
      bounds,
      shards,
      rows: limit + 1,
    });
    const rows = placed(await this.database.query<PageRow>(text, values), order === 'oldest' ? 1 : -1);
    const cursorAfter = (count: number): string => {
      const places = new Map(bounds);
      for (const { shard, place } of rows.slice(0, count)) places.set(shard, place);
      // Newest first: events that arrive after this page belong before it. A shard without a returned row starts below
      // its newest current row, and one without rows has nothing to return.
      if (order === 'newest') {
        for (const shard of shards) {
          if (places.has(shard)) continue;
          const first = rows.find((row) => row.shard === shard);
          places.set(shard, first ? first.place + 1 : 0);
        }
      }
      return encodeCursor(filter, asked, places);
    };
    const events = await this.checked.check(
      rows.slice(0, limit).map(storedEvent),
      this.asPlaced(filter, rows),
    );
    return { events, more: rows.length > limit, cursorAfter };
  }

  /** The filter, and the place of each row: a row that repeats an event elsewhere would show it twice. */
  private asPlaced(
    filter: FollowedFilter,
    rows: readonly { shard: number; place: number }[],
    bySeq = false,
  ): Expected {
    const { asked, fits } = this.checked.matching(filter);
    return {
      asked,
      fits: (event, at) => {
        const row = rows[at];
        const place = filter.stream === undefined || bySeq ? event.seq : event.streamVersion;
        return fits(event, at) && event.shard === row?.shard && place === row.place;
      },
    };
  }
}

/** Rows of all shards in the order of time. */
function placed(rows: readonly PageRow[], direction: 1 | -1) {
  return rows
    .map((row) => ({ ...row, place: Number(row.place), ms: Number(row.ts_ms) }))
    .sort((a, b) => direction * (a.ms - b.ms || a.shard - b.shard || a.place - b.place));
}

/** Returns values that PostgreSQL accepts, with times in its form. */
function checkedFilter({
  stream,
  type,
  types,
  actor,
  division,
  from,
  to,
  sha256,
  signerKid,
  correlationId,
  subject,
}: FollowedFilter): FollowedFilter {
  const filter: FollowedFilter = {};
  if (sha256 !== undefined && !SHA256_HEX.test(sha256)) {
    throw invalid('/sha256', 'sha256 must be 64 lower-case hexadecimal digits.');
  }
  if (correlationId !== undefined && !UUID.test(correlationId)) {
    throw invalid('/correlationId', 'correlationId must be a UUID.');
  }
  if (subject?.includes('/') === false) {
    throw invalid(
      '/subject',
      'subject must be an aggregate with its slash, such as "invoice/" or "invoice/2026-".',
    );
  }
  const texts = {
    stream,
    type,
    actor,
    division,
    sha256,
    signerKid,
    correlationId: correlationId?.toLowerCase(),
    subject,
  };
  for (const [name, value] of Object.entries(texts)) {
    if (value === undefined) continue;
    if (typeof value !== 'string' || !isStorable(value)) {
      throw invalid(`/${name}`, `The filter ${name} is no text that an event could hold.`);
    }
    filter[name as 'stream'] = value;
  }
  if (types !== undefined) {
    if (!types.every(isStorable)) {
      throw invalid('/types', 'The filter types has a text that no event could hold.');
    }
    filter.types = types;
  }
  for (const [name, value] of Object.entries({ from, to })) {
    if (value === undefined) continue;
    filter[name as 'from'] = instant(name, value);
  }
  return filter;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function instant(name: string, value: string): string {
  if (!isInstant(value)) {
    throw invalid(
      `/${name}`,
      `${name} must be an RFC 3339 time such as 2026-01-31T10:00:00Z, in the years 1 to 9999 of UTC.`,
    );
  }
  return new Date(value.toUpperCase()).toISOString();
}

function invalid(pointer: string, message: string): EventStoreError {
  return new EventStoreError('invalid_request', message, { pointer });
}
