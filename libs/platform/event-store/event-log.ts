import { type DataSource } from 'typeorm';
import { EventStoreError } from './event-store.error';
import { type ShardHead, type StoredEvent } from './event-store.types';
import { DEFAULT_LIMITS, type EventStoreLimits } from './limits';
import { Database, PostgresError } from '#platform/postgres';
import { EventReader } from './read/event-reader';
import { EventTail, unavailable } from './tail/event-tail';

export interface EventLogOptions {
  /** Initialised; owned by the caller, who closes it after `close()`. A role that may read the chain is enough. */
  dataSource: DataSource;
  shards: number;
  limits?: Partial<Pick<EventStoreLimits, 'storeTimeoutMs' | 'tailPollMs'>>;
}

/** The event log for its readers: the workers behind the store. */
export class EventLog {
  readonly shards: number;
  private readonly reader: EventReader;
  private readonly events: EventTail;

  constructor({ dataSource, shards, limits = {} }: EventLogOptions) {
    const { storeTimeoutMs, tailPollMs } = { ...DEFAULT_LIMITS, ...limits };
    const database = new Database(dataSource, storeTimeoutMs);
    this.shards = shards;
    this.reader = new EventReader(database);
    this.events = new EventTail(database, this.reader, shards, tailPollMs);
  }

  /** @throws EventStoreError `store_unavailable` */
  heads(): Promise<ShardHead[]> {
    return this.reading(() => this.reader.heads());
  }

  /** @throws EventStoreError `store_unavailable` */
  getById(id: string): Promise<StoredEvent | null> {
    return this.reading(() => this.reader.getById(id));
  }

  /** Events after a position, in `seq` order. @throws EventStoreError `store_unavailable`, `invalid_request` */
  async read(shard: number, options: { afterSeq: number; limit: number }): Promise<StoredEvent[]> {
    this.assertShard(shard);
    return this.reading(() => this.reader.read(shard, options.afterSeq, options.limit));
  }

  /** See EventTail.follow. @throws EventStoreError when PostgreSQL refuses the read */
  tail(
    shard: number,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncGenerator<StoredEvent[], void> {
    this.assertShard(shard);
    return this.events.follow(shard, options);
  }

  /** Ends every tail. */
  close(): Promise<void> {
    return this.events.close();
  }

  private async reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw error instanceof PostgresError ? unavailable(error) : error;
    }
  }

  private assertShard(shard: number): void {
    if (Number.isInteger(shard) && shard >= 0 && shard < this.shards) return;
    throw new EventStoreError(
      'invalid_request',
      `There is no shard ${shard}; there are ${this.shards}, counted from 0.`,
    );
  }
}
