import { setTimeout as delay } from 'node:timers/promises';
import {
  DEFAULT_LIMITS,
  type EventPage,
  type EventSearch,
  type EventVerifier,
  type FollowedFilter,
  IndexQueries,
  type IndexQuery,
  type RowFault,
  type Named,
  type StoredEvent,
  unavailable,
} from '#platform/event-store';
import { Database, type DataSource, PostgresError, type Statement } from '#platform/postgres';
import { INDEX_CONSUMER } from './index-writer';

export interface AuditIndexOptions {
  /** Initialised; owned by the caller. A role that may read the index and the positions is enough. */
  readonly dataSource: DataSource;
  readonly shards: number;
  readonly storeTimeoutMs?: number;
  /** Checks every event that is read; default: nothing is checked. */
  readonly verifier?: EventVerifier;
  readonly onFault?: (fault: RowFault) => void;
  /** Interval between looks at the positions while a caller waits for one; default 10 ms. */
  readonly lookEveryMs?: number;
}

/** Position of the index in a shard. */
export interface IndexPosition {
  readonly shard: number;
  readonly seq: number;
}

const LOOK_EVERY_MS = 10;
const POSITIONS: Statement = {
  name: 'kernel_index_positions',
  text: 'SELECT shard, seq FROM kernel.stream_positions WHERE consumer = $1',
};

/** The index for its readers: the lists of the audit module, and other modules' read sides. */
export class AuditIndex {
  private readonly queries: IndexQueries;
  private readonly database: Database;
  private looking: Promise<ReadonlyMap<number, number>> | undefined;

  constructor(private readonly options: AuditIndexOptions) {
    const { dataSource, shards, storeTimeoutMs = DEFAULT_LIMITS.storeTimeoutMs } = options;
    const { verifier, onFault } = options;
    this.queries = new IndexQueries({
      dataSource,
      shards,
      limits: { storeTimeoutMs },
      ...(verifier && { verifier }),
      ...(onFault && { onFault }),
    });
    this.database = new Database(dataSource, storeTimeoutMs);
  }

  get shards(): number {
    return this.options.shards;
  }

  /**
   * Queries in the order and with the cursors of the event store.
   * @throws EventStoreError as `EventStore.query` does
   */
  query(query: IndexQuery = {}): Promise<EventPage> {
    return this.queries.query(query);
  }

  /**
   * Returns a page of the results of `select` for the events of a query, without those that it leaves out: for lists
   * whose filters ask for more than an event says. A short page may still have a next one.
   * @throws EventStoreError as `query` does
   */
  search<T>(query: IndexQuery, search: EventSearch<T>): Promise<{ found: T[]; nextCursor: string | null }> {
    return this.queries.search(query, search);
  }

  /**
   * Events whose payload names an event (as a cause, in `because`) or an upgrade, oldest first.
   * @throws EventStoreError `store_unavailable`
   */
  naming(named: Named, limit: number): Promise<StoredEvent[]> {
    return this.queries.naming(named, limit);
  }

  /**
   * Returns the next events that match, at most `limit` of each shard, and the places after which the ones behind them are:
   * shards are followed past what does not match.
   * @param places seq of each shard; shards without one are read from their beginning
   * @throws EventStoreError `invalid_request`, `store_unavailable`
   */
  async after(
    filter: FollowedFilter,
    places: ReadonlyMap<number, number>,
    limit: number,
  ): Promise<{ events: StoredEvent[]; places: Map<number, number>; more: boolean }> {
    // Before the events: all that the index has up to there is in the answer, or behind a full shard.
    const positions = await this.positions();
    const reached = new Map(places);
    if (positions.every(({ shard, seq }) => seq <= (places.get(shard) ?? 0))) {
      return { events: [], places: reached, more: false };
    }
    const events = await this.queries.after(filter, places, limit);
    const counts = new Map<number, number>();
    for (const { event } of events) {
      counts.set(event.shard, (counts.get(event.shard) ?? 0) + 1);
      reached.set(event.shard, event.seq);
    }
    let more = false;
    for (const { shard, seq } of positions) {
      if (counts.get(shard) === limit) more = true;
      else reached.set(shard, Math.max(seq, reached.get(shard) ?? 0));
    }
    return { events, places: reached, more };
  }

  /** @throws EventStoreError `store_unavailable` */
  async positions(): Promise<IndexPosition[]> {
    const seqs = await this.look();
    return Array.from({ length: this.options.shards }, (_, shard) => ({ shard, seq: seqs.get(shard) ?? 0 }));
  }

  /**
   * Waits until the index has a position, and returns its own: less than `seq` when the time ran out.
   * @throws EventStoreError `store_unavailable`
   */
  async reach({ shard, seq }: IndexPosition, timeoutMs: number): Promise<IndexPosition> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const now = { shard, seq: (await this.look()).get(shard) ?? 0 };
      if (now.seq >= seq || performance.now() >= deadline) return now;
      await delay(this.options.lookEveryMs ?? LOOK_EVERY_MS);
    }
  }

  /** Looks at the positions once at a time, for all waiting callers. */
  private look(): Promise<ReadonlyMap<number, number>> {
    this.looking ??= this.read().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async read(): Promise<ReadonlyMap<number, number>> {
    try {
      const rows = await this.database.query<{ shard: number; seq: string }>(POSITIONS, [INDEX_CONSUMER]);
      return new Map(rows.map(({ shard, seq }) => [shard, Number(seq)]));
    } catch (error) {
      throw error instanceof PostgresError ? unavailable(error) : error;
    }
  }
}
