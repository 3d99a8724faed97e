import { type DataSource } from 'typeorm';
import { type JsonValue } from '#evidence';
import { shardOf } from '../append/shard-of';
import { type EventPage, type EventSearch, type IndexQuery, type StoredEvent } from '../event-store.types';
import { CheckedReads, type EventVerifier } from '../integrity/checked-reads';
import { type OnRowFault } from '../integrity/row-fault';
import { DEFAULT_LIMITS, type EventStoreLimits } from '../limits';
import { Database, PostgresError } from '#platform/postgres';
import { type FollowedFilter } from './event-query.sql';
import { EventQueries } from './event-queries';
import { type EventRow, storedEvent } from './event-row';
import { type Named, namedEvents } from './named-events.sql';
import { unavailable } from '../tail/event-tail';

export interface IndexQueriesOptions {
  /** Initialised; owned by the caller. A role that may read the audit index is enough. */
  dataSource: DataSource;
  shards: number;
  limits?: Partial<Pick<EventStoreLimits, 'storeTimeoutMs'>>;
  /** Checks every event that is read; default: nothing is checked. */
  verifier?: EventVerifier;
  onFault?: OnRowFault;
}

/** Lists events as `EventStore.query` does, in the same order and with the same cursors, from the audit index. */
export class IndexQueries {
  private readonly queries: EventQueries;
  private readonly shards: number;
  private readonly database: Database;
  private readonly checked: CheckedReads;

  constructor({ dataSource, shards, limits, verifier, onFault }: IndexQueriesOptions) {
    const { storeTimeoutMs } = { ...DEFAULT_LIMITS, ...limits };
    this.shards = shards;
    this.database = new Database(dataSource, storeTimeoutMs);
    this.checked = new CheckedReads('index', verifier, onFault);
    this.queries = new EventQueries(this.database, shards, 'kernel_index', this.checked);
  }

  /** @throws EventStoreError `invalid_request`, `invalid_cursor`, `store_unavailable` */
  async query(query: IndexQuery = {}): Promise<EventPage> {
    return asked(this.queries.query(query, (stream) => shardOf(stream, this.shards)));
  }

  /**
   * Events whose payload names an event or an upgrade, oldest first. They do not include an upgrade's own events.
   * @throws EventStoreError `store_unavailable`
   */
  async naming(named: Named, limit: number): Promise<StoredEvent[]> {
    const { text, values } = namedEvents(named, limit);
    const events = (await asked(this.database.query<EventRow>(text, values))).map(storedEvent);
    return this.checked.check(events, {
      asked: `an event that names ${'because' in named ? named.because : named.upgradeId}`,
      fits: ({ payload }) =>
        'because' in named
          ? namesAsCause(payload['because'], named.because)
          : payload['upgradeId'] === named.upgradeId,
    });
  }

  /**
   * The next events after a place in each shard, at most `limit` of each.
   * @throws EventStoreError `invalid_request`, `store_unavailable`
   */
  async after(
    filter: FollowedFilter,
    places: ReadonlyMap<number, number>,
    limit: number,
  ): Promise<StoredEvent[]> {
    return asked(this.queries.after(filter, places, limit, (stream) => shardOf(stream, this.shards)));
  }

  /** @throws EventStoreError as `query` does */
  async search<T>(
    query: IndexQuery,
    search: EventSearch<T>,
  ): Promise<{ found: T[]; nextCursor: string | null }> {
    return asked(this.queries.search(query, search, (stream) => shardOf(stream, this.shards)));
  }
}

function namesAsCause(because: JsonValue | undefined, eventId: string): boolean {
  if (!Array.isArray(because)) return false;
  return because.some(
    (one) => typeof one === 'object' && one !== null && !Array.isArray(one) && one['eventId'] === eventId,
  );
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof PostgresError ? unavailable(error) : error;
  }
}
