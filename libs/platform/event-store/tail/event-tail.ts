import {
  type ChannelListener,
  type Database,
  PostgresError,
  type PostgresErrorCode,
  WakeUp,
} from '#platform/postgres';
import { listenForAppends } from './append-notifications';
import { EventStoreError } from '../event-store.error';
import { type StoredEvent } from '../event-store.types';
import { TAIL_PAGE, TAIL_PAGE_BYTES } from '../limits';
import { type EventReader } from '../read/event-reader';

const MOST = { events: TAIL_PAGE, bytes: TAIL_PAGE_BYTES };

/** Failures that end by themselves. */
const PASSING: ReadonlySet<PostgresErrorCode> = new Set(['unreachable', 'lost', 'busy']);

/** Follows the log, woken by appends of any process. */
export class EventTail {
  private readonly wakeUps: WakeUp[];
  private readonly appends: ChannelListener;
  private readonly stopping = new AbortController();

  constructor(
    database: Database,
    private readonly reader: EventReader,
    shards: number,
    private readonly pollMs: number,
  ) {
    this.wakeUps = Array.from({ length: shards }, () => new WakeUp());
    this.appends = listenForAppends(
      database,
      (shard) => this.wakeUps[shard]?.signal(),
      () => this.wakeUps.forEach((wakeUp) => wakeUp.signal()),
    );
  }

  /**
   * Yields every event of a shard after a position, in `seq` order, without end: pages as they come, each once. Commit
   * order is `seq` order, so nothing can appear before the cursor later. Ends when `signal` is aborted or this is
   * closed; waits for an unreachable database.
   */
  async *follow(
    shard: number,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncGenerator<StoredEvent[], void> {
    const signal = AbortSignal.any([options.signal, this.stopping.signal]);
    const wakeUp = this.wakeUps[shard] as WakeUp;
    this.appends.listen();
    let { afterSeq } = options;
    while (!signal.aborted) {
      const mark = wakeUp.mark;
      const page = await this.reader.page(shard, afterSeq, MOST).catch((error: unknown) => {
        if (error instanceof PostgresError && PASSING.has(error.code)) return [];
        throw unavailable(error);
      });
      if (signal.aborted) return;
      const last = page.at(-1);
      if (last) {
        yield page;
        afterSeq = last.event.seq;
      }
      if (!isFull(page)) await wakeUp.wait(mark, this.pollMs, signal);
    }
  }

  /** Ends every tail. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.appends.close();
  }
}

/** Whether more events may follow. */
function isFull(page: readonly StoredEvent[]): boolean {
  return (
    page.length >= MOST.events || page.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) >= MOST.bytes
  );
}

/**
 * What a failure of PostgreSQL is to who reads: `store_unavailable`, after which to come back, but `invalid_value` where a value is
 * none that it takes.
 */
export function unavailable(cause: unknown): EventStoreError {
  if (cause instanceof PostgresError && cause.code === 'invalid_value') return invalidValue(cause);
  return new EventStoreError(
    'store_unavailable',
    `PostgreSQL is not available: ${(cause as Error)?.message ?? String(cause)}.`,
    {},
    { cause },
  );
}

/** A value that the database does not take, whatever its state: no retry helps, and it is not unavailable. */
export function invalidValue(cause: PostgresError): EventStoreError {
  return new EventStoreError(
    'invalid_value',
    `PostgreSQL refuses a value: ${cause.message}.`,
    { committed: false },
    { cause },
  );
}
