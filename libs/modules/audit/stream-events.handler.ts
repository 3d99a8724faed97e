import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { divisionAsked, type Principal, type Scope } from '#platform/edge';
import { AuditIndex } from '#platform/audit-stream';
import {
  EventStore,
  EventStoreError,
  type EventFilter as IndexFilter,
  type StoredEvent,
} from '#platform/event-store';
import { placesOf, streamId } from './domain/stream-places';
import { type EventFilter } from './list-events.handler';
import { StreamReaders } from './stream-readers';

/** Events of a shard that a reader gets from one query. */
const PAGE = 100;
/** Proxies and readers end a connection on which nothing comes, many after a minute. */
const HEARTBEAT_MS = 15_000;
/**
 * A stream ends after this time, and its reader goes on with another: a caller whose certificate ran out or whose role was
 * taken away reads no longer.
 */
const LONGEST_MS = 10 * 60_000;
/** How soon a reader whose stream ended should come back. */
const RETRY_MS = 1_000;

/** Source of the frames for one reader, as long as the signal lasts. */
export type Frames = (signal: AbortSignal) => AsyncIterable<string>;

/** Events from now on, or after those that a reader has. */
export class StreamEvents extends Query<Frames> {
  constructor(
    readonly filter: Omit<EventFilter, 'order' | 'cursor' | 'limit'>,
    /** Id of the last event that the reader has; null: none. */
    readonly lastEventId: string | null,
    readonly principal: Principal,
    readonly scope: Scope,
  ) {
    super();
  }
}

/** Follows the index: a reader sees an event when lists have it. */
@QueryHandler(StreamEvents)
export class StreamEventsHandler implements IQueryHandler<StreamEvents, Frames> {
  constructor(
    private readonly index: AuditIndex,
    private readonly store: EventStore,
    private readonly readers: StreamReaders,
  ) {}

  async execute({ filter: asked, lastEventId, principal, scope }: StreamEvents): Promise<Frames> {
    const { division, ...rest } = asked;
    const filter: IndexFilter = { ...rest, ...divisionAsked(scope, division ?? null) };
    const start = await this.start(filter, lastEventId);
    // What is wrong with the filter or the store is answered before the stream begins.
    await this.index.after(filter, start, 1);
    const leave = this.readers.enter(principal.id);
    return (signal) => this.follow(filter, start, leave, signal);
  }

  private async start(filter: IndexFilter, lastEventId: string | null): Promise<Map<number, number>> {
    if (lastEventId !== null && lastEventId !== '') {
      const heads = await this.store.heads();
      return placesOf(lastEventId, new Map(heads.map(({ shard, seq }) => [shard, seq])));
    }
    // A time says itself where to begin.
    if (filter.from !== undefined) return new Map();
    return new Map((await this.index.positions()).map(({ shard, seq }) => [shard, seq]));
  }

  private async *follow(
    filter: IndexFilter,
    start: Map<number, number>,
    leave: () => void,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    let places = start;
    try {
      // An id without data is not an event: it tells a reader from where to go on, should it see none.
      yield `retry: ${RETRY_MS}\nid: ${streamId(places)}\n\n`;
      const end = performance.now() + LONGEST_MS;
      let quietSince = performance.now();
      while (!signal.aborted && performance.now() < end) {
        const page = await this.next(filter, places, signal);
        if (page !== null && page.events.length > 0) {
          yield page.events.map((event) => frame(event, places)).join('');
          quietSince = performance.now();
        }
        if (page !== null) places = page.places;
        if (page?.more === true) continue;
        if (performance.now() - quietSince >= HEARTBEAT_MS) {
          yield `: \nid: ${streamId(places)}\n\n`;
          quietSince = performance.now();
        }
        await this.readers.look();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      leave();
    }
  }

  /** Null: the database does not answer now. The reader waits, as it would for an event. */
  private async next(filter: IndexFilter, places: ReadonlyMap<number, number>, signal: AbortSignal) {
    try {
      return await this.readers.query(() => this.index.after(filter, places, PAGE), signal);
    } catch (error) {
      if (error instanceof EventStoreError && error.code === 'store_unavailable') return null;
      throw error;
    }
  }
}

/** Canonical JSON has no line breaks, so that an event is one line of data. Moves the places to the event. */
function frame({ event, bytes }: StoredEvent, places: Map<number, number>): string {
  places.set(event.shard, event.seq);
  return `id: ${streamId(places)}\ndata: ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')}\n\n`;
}
