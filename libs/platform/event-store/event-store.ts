import { type DataSource } from 'typeorm';
import { checkAnswerKey, prepareAppend } from './append/append-request';
import { type HeadPosition } from './append/append-state.sql';
import { ClockGuard } from './append/clock-guard';
import { DATABASE_TIME, type DatabaseTimeRow } from './append/database-time.sql';
import { type PendingAppend } from './append/pending-append';
import { ShardWriter } from './append/shard-writer';
import { shardOf } from './append/shard-of';
import { mismatch } from './append/group-numbering';
import { newEventId } from './append/event-id';
import { EventStoreError } from './event-store.error';
import {
  type AppendRequest,
  type AppendResult,
  type EventPage,
  type EventQuery,
  type EventSigner,
  type EventStoreObserver,
  type ShardHead,
  type SignedRange,
  type StoredAnswer,
  type StoredEvent,
} from './event-store.types';
import { type AnswerRecord, IdempotencyStore, type RecordedAnswer } from './idempotency/idempotency-store';
import { DEFAULT_LIMITS, type EventStoreLimits } from './limits';
import { CheckedReads, type EventVerifier, type Expected } from './integrity/checked-reads';
import { CheckedHead } from './integrity/checked-head';
import { type RowFault } from './integrity/row-fault';
import { RowKey } from './integrity/row-key';
import { assertMigrated } from './schema/assert-migrated';
import { makePartitions, partitionRooms } from './partitions/make-partitions.sql';
import { Database, postgresError, PostgresError } from '#platform/postgres';
import { currentPlace } from '#platform/tracing';
import { EventQueries } from './read/event-queries';
import { EventReader } from './read/event-reader';
import { RecentHeads } from './read/recent-heads';
import { type RegistryRow, registryRowsOf } from './read/registry-rows';
import { AppendNotifications } from './tail/append-notifications';
import { unavailable } from './tail/event-tail';
import { purgeTraces, tracesOf } from './traces/event-traces';

export interface EventStoreOptions {
  /** Initialised; owned by the caller, who closes it after `close()`. */
  dataSource: DataSource;
  origin: string;
  shards: number;
  signer: EventSigner;
  /** Authenticates stored answers, shared by all processes; default a new one, whose answers nobody else accepts. */
  rowKey?: RowKey;
  /** Checks every event that is read, and the head before anything is built on it; default: nothing is checked. */
  verifier?: EventVerifier;
  limits?: Partial<EventStoreLimits>;
  observer?: EventStoreObserver;
  /** Called before each append; an error from it refuses the append. */
  mayAppend?: () => void;
  /**
   * `optimistic` (default): the statement that inserts compares and sets the head; the head row is locked only for a
   * while after another process was first. `locked`: always locked from reading to committing, one group at a time.
   */
  writing?: 'optimistic' | 'locked';
  /** Milliseconds since 1970; default `Date.now`. */
  now?: () => number;
  /**
   * By how much the clock may be ahead of the database server's, or jump; beyond that nothing is written. Not compared
   * when left out.
   */
  maxClockJumpMs?: number;
  /** A clock that no one can set, in milliseconds; default `performance.now`. */
  monotonic?: () => number;
  /** UUIDv7; default `newEventId`. */
  newId?: () => string;
}

/**
 * The kernel's event log: events are signed, chained and on disk before `append` answers.
 *
 * No request holds a database connection while it waits for another one: appends of a shard go through one writer,
 * and every read is a single statement.
 */
export class EventStore {
  readonly origin: string;
  readonly shards: number;
  private readonly limits: EventStoreLimits;
  private readonly observer: EventStoreObserver;
  private readonly now: () => number;
  private readonly newId: () => string;
  private readonly database: Database;
  private readonly checked: CheckedReads;
  private readonly clock: ClockGuard | null;
  private readonly reader: EventReader;
  private readonly queries: EventQueries;
  private readonly idempotency: IdempotencyStore;
  private readonly writers: ShardWriter[];
  private readonly notifications: AppendNotifications;
  private readonly recentHeads: RecentHeads;
  private readonly purgeTimer: NodeJS.Timeout;
  private readonly partitionTimer: NodeJS.Timeout;
  private readonly stopping = new AbortController();
  private migrated: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: EventStoreOptions) {
    const { dataSource, origin, shards, signer } = options;
    this.origin = origin;
    this.shards = shards;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.observer = options.observer ?? {};
    this.now = options.now ?? Date.now;
    this.newId = options.newId ?? newEventId;
    this.database = new Database(dataSource, this.limits.storeTimeoutMs);
    const rowKey = options.rowKey ?? RowKey.random(origin);
    const onFault = (fault: RowFault): void => this.observer.onIntegrity?.(fault);
    this.checked = new CheckedReads('event', options.verifier, onFault);
    this.clock = this.guardedClock();
    this.reader = new EventReader(this.database);
    this.queries = new EventQueries(this.database, shards, 'kernel', this.checked);
    this.idempotency = new IdempotencyStore(
      this.database,
      this.now,
      this.limits.idempotencyRetentionMs,
      rowKey,
      onFault,
    );
    this.recentHeads = new RecentHeads(shards, () => this.heads());
    this.notifications = new AppendNotifications(this.database);
    this.writers = Array.from(
      { length: shards },
      (_, shard) =>
        new ShardWriter({
          shard,
          origin,
          database: this.database,
          signer,
          rowKey,
          limits: this.limits,
          now: this.now,
          eventTime: () => this.clock?.now() ?? this.now(),
          observer: this.observer,
          writing: options.writing ?? 'optimistic',
          ready: () => this.ready(),
          committed: (head) => this.committed(shard, head),
          makePartitions: () => makePartitions(this.database),
          findAnswered: (pending) => this.findAnswered(pending),
          findCommitted: (pending) => this.findCommitted(pending),
          checkedHead: new CheckedHead({
            shard,
            origin,
            reader: this.reader,
            checked: this.checked,
            onFault,
          }),
        }),
    );
    this.purgeTimer = setInterval(() => void this.purge(), this.limits.idempotencyPurgeIntervalMs);
    this.purgeTimer.unref();
    this.partitionTimer = setInterval(() => void this.keepRoom(), this.limits.partitionIntervalMs);
    this.partitionTimer.unref();
  }

  /**
   * Commits all events of the request or none, in order, and answers when they are on disk.
   *
   * Payloads must not be changed until it settles. Streams of one request must map to one shard.
   *
   * @throws EventStoreError
   */
  async append(request: AppendRequest): Promise<AppendResult> {
    const enqueuedAt = performance.now();
    try {
      this.assertOpen();
      if (request.whateverTheMode !== true) this.options.mayAppend?.();
      const { shard, ...prepared } = prepareAppend(request, this.shards, this.newId);
      const writer = this.writers[shard] as ShardWriter;
      return await new Promise<AppendResult>((resolve, reject) => {
        const pending: PendingAppend = {
          ...prepared,
          enqueuedAt,
          trace: currentPlace(),
          ticket: 0,
          uncertain: false,
          checkIds: false,
          alone: prepared.statesHeads,
          resolve,
          reject,
        };
        if (!writer.enqueue(pending)) throw queueFull(shard, writer.queueDepth);
      });
    } catch (error) {
      if (error instanceof EventStoreError) this.observer.onRefusal?.(error.code);
      throw error;
    }
  }

  /** The stream's events from a version on, in order; empty when there are none. */
  loadStream(stream: string, options: { fromVersion?: number } = {}): Promise<StoredEvent[]> {
    const { fromVersion = 1 } = options;
    return this.reading(() => this.reader.loadStream(stream, fromVersion), {
      asked: `events of the stream ${stream} from version ${fromVersion} on`,
      fits: (event, at) => event.stream === stream && event.streamVersion === fromVersion + at,
    });
  }

  async getById(id: string): Promise<StoredEvent | null> {
    const found = await this.reading(
      async () => {
        const event = await this.reader.getById(id);
        return event === null ? [] : [event];
      },
      { asked: `the event ${id}`, fits: (event) => event.id === id.toLowerCase() },
    );
    return found[0] ?? null;
  }

  /**
   * A page of events that match, oldest first unless asked otherwise. Without a stream, what was detached from the log is not
   * among them, unless it is of a stream that stays (docs/adr/0163-a-partition-is-detached-when-all-else-has-it.md): the
   * audit index lists everything.
   * @throws EventStoreError `invalid_request`, `invalid_cursor`
   */
  query(query: EventQuery = {}): Promise<EventPage> {
    return this.reading(() => this.queries.query(query, (stream) => this.shardOf(stream)));
  }

  /**
   * The first position of a shard that is not earlier than a time (RFC 3339); one after the head when there is none.
   */
  async firstSeqAt(shard: number, ts: string): Promise<number> {
    this.assertShard(shard);
    return this.reading(() => this.reader.firstSeqAt(shard, ts));
  }

  /**
   * Range that a key signed in a shard from a position on; null when it signed nothing. Both ends are events that verify, and
   * so are all between them: nothing is built on a row that does not.
   * @throws EventStoreError `integrity`
   */
  async signedBy(kid: string, shard: number, fromSeq: number): Promise<SignedRange | null> {
    this.assertShard(shard);
    const rows = await this.reading(() => this.reader.rowsSignedBy(kid, shard, fromSeq));
    if (rows === null) return null;
    const [from, to] = await Promise.all(
      [rows.first, rows.last].map((seq) => this.signedAt(kid, shard, seq)),
    );
    return from && to ? { shard, from, to, count: rows.count } : null;
  }

  private async signedAt(
    kid: string,
    shard: number,
    seq: number,
  ): Promise<{ seq: number; hash: string } | undefined> {
    const [found] = await this.reading(() => this.reader.read(shard, seq - 1, 1), {
      asked: `an event that ${kid} signed at ${shard}:${seq}`,
      fits: (event) => event.shard === shard && event.seq === seq && event.signerKid === kid,
    });
    return found && { seq, hash: found.event.hash };
  }

  heads(): Promise<ShardHead[]> {
    return this.reading(() => this.reader.heads());
  }

  /** The head of a shard as it was at most 250 ms ago, mostly without asking the database. */
  async recentHead(shard: number): Promise<{ shard: number } & HeadPosition> {
    this.assertShard(shard);
    const head = await this.recentHeads.of(shard);
    if (head === null) throw this.noSuchShard(shard);
    return { shard, ...head };
  }

  /** The event at a position; null when there is none. */
  async at(shard: number, seq: number): Promise<StoredEvent | null> {
    this.assertShard(shard);
    const found = await this.reading(() => this.reader.at(shard, seq), inOrder(shard, seq - 1));
    return found[0] ?? null;
  }

  /** Events after a position, in `seq` order. */
  async read(
    shard: number,
    options: { afterSeq: number; limit: number; division?: string },
  ): Promise<StoredEvent[]> {
    this.assertShard(shard);
    const { afterSeq, limit, division } = options;
    return this.reading(
      () => this.reader.read(shard, afterSeq, limit, division),
      division === undefined
        ? inOrder(shard, afterSeq)
        : {
            asked: `events of the division ${division} in shard ${shard}`,
            fits: (event) =>
              event.shard === shard &&
              event.seq > afterSeq &&
              this.options.verifier?.divisionOf(event) === division,
          },
    );
  }

  /**
   * Events of some types after a position, in `seq` order: events after the last of them are of none of these types.
   */
  async readTypes(
    shard: number,
    options: { afterSeq: number; types: readonly string[]; limit: number },
  ): Promise<StoredEvent[]> {
    this.assertShard(shard);
    const { afterSeq, types, limit } = options;
    return this.reading(() => this.reader.readTypes(shard, afterSeq, types, limit), {
      asked: `events of the types ${types.join(', ')} in shard ${shard}`,
      fits: (event) => event.shard === shard && event.seq > afterSeq && types.includes(event.type),
    });
  }

  /** All rows that say they change the keys, unread: for a reader that verifies each event before it believes it. */
  registryRows(): Promise<RegistryRow[]> {
    return this.reading(() => registryRowsOf((sql, values) => this.database.query(sql, values)));
  }

  /**
   * The fence of the keys: position in shard 0 of the last registry event; 0 before the first, and in a store filled from
   * the archive. Read before the events, it tells an append whether the keys are still as they were read (`AppendRequest.keysAsOf`).
   */
  keyFence(): Promise<number> {
    return this.reading(() => this.reader.keyFence());
  }

  /** Stored answer of an idempotency key. */
  findAnswer(caller: string, key: string): Promise<StoredAnswer | null> {
    return this.reading(() => this.idempotency.find(caller, key));
  }

  /**
   * Stores the answer of a request that commits no event. When another one with this key was first, returns its answer
   * with `recorded: false`. @throws EventStoreError `idempotency_mismatch` when that was another request
   */
  async recordAnswer(record: AnswerRecord): Promise<RecordedAnswer> {
    checkAnswerKey(record);
    const { stored, recorded } = await this.reading(() => this.idempotency.record(record));
    if (stored.requestHash !== record.requestHash) throw mismatch();
    return { recorded, status: stored.status, body: stored.body };
  }

  /** Trace (`traceparent`) that goes on with an event; undefined mostly. */
  async traceOf({
    shard,
    seq,
  }: {
    readonly shard: number;
    readonly seq: number;
  }): Promise<string | undefined> {
    return (await tracesOf(this.database, shard, seq, seq)).get(seq);
  }

  /** Forgets keys older than their retention, a small batch at a time; runs by itself every minute. Returns how many. */
  purgeAnswers(): Promise<number> {
    return this.reading(() => this.idempotency.purge(this.stopping.signal));
  }

  private async purge(): Promise<void> {
    // Another time will do.
    await this.purgeAnswers().catch(() => undefined);
    await purgeTraces(this.database, this.stopping.signal).catch(() => undefined);
  }

  /**
   * Makes the partitions that are due, and tells the observer how much room there is; runs by itself every few seconds. A
   * group that finds none makes its own, so a failure here stops nothing yet.
   */
  async keepRoom(): Promise<void> {
    let failure: PostgresError | null = null;
    try {
      await makePartitions(this.database);
    } catch (error) {
      failure = postgresError(error, 'unreachable');
    }
    const rooms = await partitionRooms(this.database).catch((error: unknown) => {
      failure ??= postgresError(error, 'unreachable');
      return [];
    });
    this.observer.onPartitions?.(rooms, failure);
  }

  shardOf(stream: string): number {
    return shardOf(stream, this.shards);
  }

  /** Why the clock keeps this store from writing; null when it is right. */
  async clockProblem(): Promise<string | null> {
    return (await this.clock?.problem()) ?? null;
  }

  /** Number of waiting requests, in all shards. */
  get queueDepth(): number {
    return this.writers.reduce((sum, { queueDepth }) => sum + queueDepth, 0);
  }

  /** Accepts nothing new, and finishes its requests. */
  close(): Promise<void> {
    this.closing ??= (async () => {
      clearInterval(this.purgeTimer);
      clearInterval(this.partitionTimer);
      await Promise.all(this.writers.map((writer) => writer.drained()));
      this.stopping.abort();
      await this.notifications.close();
    })();
    return this.closing;
  }

  /**
   * Called before each group: an append to the chain of another origin must not happen, nor one by a clock that jumped.
   */
  private async ready(): Promise<void> {
    const { dataSource, origin, shards } = this.options;
    this.migrated ??= assertMigrated(dataSource, { origin, shards }).catch((error: unknown) => {
      this.migrated = undefined;
      throw error instanceof EventStoreError && error.code === 'store_unavailable'
        ? new PostgresError('unreachable', error.message, undefined, { cause: error.cause })
        : error;
    });
    await this.migrated;
    await this.clock?.settle();
  }

  private guardedClock(): ClockGuard | null {
    const { maxClockJumpMs: maxJumpMs, monotonic = () => performance.now() } = this.options;
    if (maxJumpMs === undefined) return null;
    return new ClockGuard({
      now: this.now,
      monotonic,
      maxJumpMs,
      databaseTime: async () => {
        const [row] = await this.database.step<DatabaseTimeRow>(DATABASE_TIME, []);
        if (row === undefined) throw new PostgresError('unreachable', 'the database gave no time', undefined);
        return row.ms;
      },
      compared: (aheadMs) => this.observer.onClock?.(aheadMs),
    });
  }

  private committed(shard: number, head: HeadPosition): void {
    this.recentHeads.committed(shard, head);
    this.notifications.notify(shard);
  }

  private async findAnswered({ idempotency }: PendingAppend): Promise<AppendResult | null> {
    if (!idempotency) return null;
    const stored = await this.idempotency.find(idempotency.caller, idempotency.key);
    if (stored === null) return null;
    if (stored.requestHash !== idempotency.requestHash) throw mismatch();
    return { replayed: true, answer: { status: stored.status, body: stored.body } };
  }

  private async findCommitted(pending: PendingAppend): Promise<AppendResult> {
    const ids = pending.events.map(({ id }) => id);
    const events = await this.reading(() => this.reader.byIds(ids), {
      asked: 'the events of an earlier attempt',
      fits: (event) => ids.includes(event.id),
    });
    const last = events.at(-1)?.event;
    const { idempotency } = pending;
    const stored = idempotency && (await this.idempotency.find(idempotency.caller, idempotency.key));
    return {
      replayed: false,
      events,
      position: `${last?.shard ?? 0}:${last?.seq ?? 0}`,
      ...(stored && { answer: { status: stored.status, body: stored.body } }),
    };
  }

  private async reading<T>(read: () => Promise<T>): Promise<T>;
  private async reading<T extends readonly StoredEvent[]>(
    read: () => Promise<T>,
    expected: Expected,
  ): Promise<T>;
  private async reading<T>(read: () => Promise<T>, expected?: Expected): Promise<T> {
    try {
      const found = await read();
      if (expected === undefined) return found;
      return (await this.checked.check(found as readonly StoredEvent[], expected)) as T;
    } catch (error) {
      throw error instanceof PostgresError ? unavailable(error) : error;
    }
  }

  private assertOpen(): void {
    if (this.closing)
      throw new EventStoreError('closed', 'The event store is shutting down; ask another replica.');
  }

  private assertShard(shard: number): void {
    if (!Number.isInteger(shard) || shard < 0 || shard >= this.shards) throw this.noSuchShard(shard);
  }

  private noSuchShard(shard: number): EventStoreError {
    return new EventStoreError(
      'invalid_request',
      `There is no shard ${shard}; there are ${this.shards}, counted from 0.`,
    );
  }
}

function inOrder(shard: number, afterSeq: number): Expected {
  return {
    asked: `events of shard ${shard} after ${afterSeq}`,
    fits: (event, at) => event.shard === shard && event.seq === afterSeq + 1 + at,
  };
}

function queueFull(shard: number, depth: number): EventStoreError {
  return new EventStoreError(
    'queue_full',
    `${depth} requests wait for shard ${shard}; try again in a moment.`,
    {
      shard,
      depth,
    },
  );
}
