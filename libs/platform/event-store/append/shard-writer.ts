import { setTimeout as delay } from 'node:timers/promises';
import { recordedTraceId } from '#platform/tracing';
import { AppendQueue } from './append-queue';
import {
  APPEND_STATE,
  type AppendState,
  type AppendStateRequest,
  type AppendStateRow,
  appendStateValues,
  type HeadPosition,
  readAppendState,
} from './append-state.sql';
import { commitGroup, type CommitGroupRow } from './commit-group.sql';
import { numberGroup, type NumberedGroup, type ShardPosition } from './group-numbering';
import { GroupSigning, type SignedGroup } from './group-signing';
import { GroupTrace, stepOf } from './group-trace';
import { HEAD_EVENT, type HeadRow, lockAllHeads, lockHead, raiseFences } from './lock-head.sql';
import { type PendingAppend } from './pending-append';
import { EventStoreError } from '../event-store.error';
import {
  type AppendResult,
  type BatchReport,
  type EventSigner,
  type EventStoreObserver,
  type RetryReason,
} from '../event-store.types';
import { type CheckedHead } from '../integrity/checked-head';
import { type RowKey } from '../integrity/row-key';
import { type EventStoreLimits } from '../limits';
import { type EventRow, storedEvent } from '../read/event-row';
import { invalidValue } from '../tail/event-tail';
import {
  type Database,
  postgresError,
  PostgresError,
  type PostgresErrorCode,
  type Session,
} from '#platform/postgres';

export interface ShardWriterOptions {
  shard: number;
  origin: string;
  database: Database;
  signer: EventSigner;
  rowKey: RowKey;
  limits: EventStoreLimits;
  /** Milliseconds since 1970. */
  now: () => number;
  /** The same, for the events of a group. @throws EventStoreError `clock_jumped` */
  eventTime: () => number;
  observer: EventStoreObserver;
  /** How groups are committed; see EventStoreOptions. */
  writing: 'optimistic' | 'locked';
  /** Resolves once the database is known to hold this store's chain, and the clock was looked at. @throws EventStoreError */
  ready: () => Promise<void>;
  /** Called with the new head as soon as it is committed. */
  committed: (head: HeadPosition) => void;
  /** The result of a request that an earlier process or attempt committed. */
  findCommitted: (pending: PendingAppend) => Promise<AppendResult>;
  /** Makes the partitions that are due. @throws PostgresError */
  makePartitions: () => Promise<void>;
  /** Says whether a head that this writer did not write is this kernel's. */
  checkedHead: Pick<CheckedHead, 'prepare' | 'isKnown' | 'verify'>;
  findAnswered: (pending: PendingAppend) => Promise<AppendResult | null>;
}

/** Number of groups during which no other process moves the head, after which the lock is no longer used. */
const QUIET_GROUPS = 8;
/** Failures of a group that one of its requests causes, whoever it is beside. */
const OF_ONE_REQUEST: ReadonlySet<PostgresErrorCode> = new Set([
  'refused',
  'invalid_value',
  'unique_violation',
]);
/** First pause after a failure of the store; doubled up to the longest. */
const BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 250;
/** A replica that is paused while it holds the head row loses it after this on top of the sign timeout. */
const LOCK_GRACE_MS = 2_000;

/** A group on its way: numbered, perhaps being signed, not known to be committed. */
interface Flight {
  group: NumberedGroup;
  /** It has its signatures, and waits to commit or for the commit. */
  signed: boolean;
  failed: boolean;
  /** True when it was committed on the numbers it had. Never rejects. */
  settled: Promise<boolean>;
  startedAt: number;
  readMs: number;
  hashMs: number;
  trace: GroupTrace | undefined;
}

/** What a locked group may not go on without: a look at the keys, at the head, or at the key that comes after one. */
type Missing = { fence: number } | { head: HeadPosition } | { after: string };

/**
 * Group commit for one shard.
 *
 * Optimistic: a group is numbered, hashed and signed against the last known head without holding any lock, then
 * committed by one statement that compares the head first. The next group is numbered on top of it meanwhile. When
 * another process was first, nothing was written; the group is numbered again, with the head row locked from the read
 * to the commit for a while, so that each of several writers gets its turn.
 *
 * A change of the keys is a group of its own, numbered, signed and committed while the heads of all shards are locked. It
 * raises the fence of every shard, and whoever sees a new fence has the signer look up its keys before it numbers.
 */
export class ShardWriter {
  private readonly queue: AppendQueue;
  private readonly signing: GroupSigning;
  private readonly flights: Flight[] = [];
  private mode: BatchReport['mode'];
  private quietGroups = 0;
  private lastOwnSeq = -1;
  /** The last head that this writer wrote or verified. */
  private soundHead: string | undefined;
  /** The key that signed the last head that this writer has seen. */
  private headKid: string | null = null;
  /** The fence that the signer has looked up its keys for; undefined before the first group. */
  private knownFence: number | undefined;
  /** A group is being read and numbered, or waits for a locked one. */
  private starting = false;
  private scheduled = false;
  private pausedUntil = 0;
  /** `performance.now()` of the first failure of the store since it last worked. */
  private downSince: number | undefined;
  private failures = 0;
  /** How often the signer has said that others are ahead, since the last group. */
  private behindInARow = 0;
  /** Requests being answered from stored answers. */
  private answering = 0;
  private readonly idleWaiters: (() => void)[] = [];

  constructor(private readonly options: ShardWriterOptions) {
    this.queue = new AppendQueue(options.limits);
    this.mode = options.writing;
    const { origin, shard, signer, rowKey, now, limits } = options;
    const { signTimeoutMs, maxEventsPerSignature } = limits;
    this.signing = new GroupSigning({
      origin,
      shard,
      signer,
      rowKey,
      now,
      signTimeoutMs,
      maxEventsPerSignature,
    });
  }

  get queueDepth(): number {
    return this.queue.size;
  }

  /** False when the queue is full. */
  enqueue(pending: PendingAppend): boolean {
    if (!this.queue.push(pending)) return false;
    this.schedule();
    return true;
  }

  /** Resolves when no request waits and no group is on its way. */
  async drained(): Promise<void> {
    if (this.idle()) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private idle(): boolean {
    return this.queue.size === 0 && this.flights.length === 0 && !this.starting && this.answering === 0;
  }

  /** Starts a group after this turn of the event loop, so that all requests of the turn are in it. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  private pump(): void {
    if (this.idle()) {
      for (const resolve of this.idleWaiters.splice(0)) resolve();
      return;
    }
    if (this.starting || this.queue.size === 0 || !this.hasRoom()) return;
    this.starting = true;
    void this.startGroup().finally(() => {
      this.starting = false;
      this.schedule();
    });
  }

  /**
   * Whether another group may be started. While one is on its way a small one waits until that one is signed, and
   * grows meanwhile: each group costs the same few round trips whatever its size. It is then read, numbered and signed
   * while the other is committed. One that is large enough is read and signed beside the other: waiting would leave the
   * processor idle.
   */
  private hasRoom(): boolean {
    const last = this.flights.at(-1);
    if (last === undefined) return true;
    const { maxGroupsInFlight, startGroupFrom } = this.options.limits;
    if (this.mode === 'locked' || this.flights.length >= maxGroupsInFlight) return false;
    return last.signed || this.queue.size >= startGroupFrom;
  }

  /** Takes a group and processes it until the next one may start on top of it. Never rejects. */
  private async startGroup(): Promise<void> {
    const pause = this.pausedUntil - performance.now();
    if (pause > 0) await delay(pause);
    const requests = this.queue.take(this.options.limits);
    const startedAt = performance.now();
    try {
      await this.options.ready();
      if (requests.some(({ statesHeads }) => statesHeads)) await this.groupWithHeads(requests, startedAt);
      else if (this.mode === 'locked') await this.lockedGroup(requests, startedAt);
      else await this.optimisticGroup(requests, startedAt);
    } catch (error) {
      // Nothing of this group was sent for commit yet, whatever failed.
      this.failed(requests, error, { sent: false, since: startedAt });
    }
  }

  private async optimisticGroup(requests: readonly PendingAppend[], startedAt: number): Promise<void> {
    const { database } = this.options;
    const ahead = [...this.flights];
    const request = this.stateRequest(requests);
    const [row] = await database.step<AppendStateRow>(APPEND_STATE, appendStateValues(request));
    const state = this.stateOf(row, request);
    await this.assertSound(state.head, ahead);
    this.headKid = state.headKid;
    if (state.fence !== this.knownFence) await this.lookUpKeys(state.fence);
    const kid = await this.signing.activeKid();
    const readAt = performance.now();
    if (ahead.some(({ failed }) => failed)) {
      // Its requests wait again, and came before these.
      this.again('predecessor_failed', requests);
      return;
    }
    // Earlier groups that this snapshot does not show yet, committed meanwhile or not.
    const unseen = ahead.filter(({ group }) => group.head.seq > state.head.seq);
    const group = this.number(requests, state, await this.kidAfter(state, unseen, kid), unseen);
    const times = { startedAt, readMs: readAt - startedAt, hashMs: performance.now() - readAt };
    const flight: Flight = {
      group,
      signed: false,
      failed: false,
      settled: Promise.resolve(true),
      ...times,
      trace: GroupTrace.of(group, this.options.shard, times),
    };
    this.refuse(group.refused);
    this.answerStored(group);
    flight.settled = this.finishOptimistic(flight, this.flights.at(-1)).then((committed) => {
      flight.failed = !committed;
      flight.trace?.end(committed ? null : new NotCommitted());
      this.flights.splice(this.flights.indexOf(flight), 1);
      this.queue.putBack(group.deferred);
      this.schedule();
      return committed;
    });
    this.flights.push(flight);
  }

  /** Signs while the predecessor commits, then commits on top of it. Never rejects. */
  private async finishOptimistic(flight: Flight, predecessor: Flight | undefined): Promise<boolean> {
    const { group, trace } = flight;
    const undecided = undecidedOf(group);
    if (undecided.length === 0) {
      this.storeWorks();
      // A group numbered on top of this one is numbered on top of the one before it.
      return predecessor?.settled ?? true;
    }
    let signed: SignedGroup | undefined;
    let failure: unknown;
    const signStart = performance.now();
    try {
      signed = await stepOf(trace, 'sign', () => this.signing.sign(group));
    } catch (error) {
      failure = error;
    }
    const signMs = performance.now() - signStart;
    // Before the wait for the predecessor: when the signer hangs, no request waits for a second timeout.
    if (signed === undefined) {
      this.failed(undecided, failure, { sent: false, since: flight.startedAt });
      return false;
    }
    flight.signed = true;
    this.schedule();
    if (predecessor && !(await predecessor.settled)) {
      this.again('predecessor_failed', undecided);
      return false;
    }
    if (signed.spoilt.length > 0) {
      this.dropSpoilt(signed, undecided);
      return false;
    }
    const commitStart = performance.now();
    try {
      if (signed.commit.events.length > 0) {
        const { database } = this.options;
        const statement = commitGroup(signed.commit);
        const [row] = await stepOf(trace, 'commit', () => database.step<CommitGroupRow>(...statement));
        if (row?.moved !== true) {
          this.mode = 'locked';
          this.quietGroups = 0;
          this.again('head_moved', undecided);
          return false;
        }
      }
    } catch (error) {
      this.failed(undecided, error, { sent: true, since: flight.startedAt });
      return false;
    }
    this.succeeded(flight, signed, 'optimistic', { signMs, commitMs: performance.now() - commitStart });
    return true;
  }

  /** A group of one request, which states the heads of all shards: on top of nothing that is still to be committed. */
  private async groupWithHeads(requests: readonly PendingAppend[], startedAt: number): Promise<void> {
    const committed = await Promise.all(this.flights.map(({ settled }) => settled));
    if (committed.every(Boolean)) await this.lockedGroup(requests, startedAt, true);
    else this.again('predecessor_failed', requests);
  }

  /**
   * Read, number, sign and commit while holding the head row, or with `statesHeads` those of all shards. Under the lock
   * nothing is waited for but this connection and the signatures: other writers may have all other connections, and wait
   * for the lock. What has to be looked up first is looked up without it, and the group begins again.
   */
  private async lockedGroup(
    requests: readonly PendingAppend[],
    startedAt: number,
    statesHeads = false,
  ): Promise<void> {
    const { database, shard, limits, checkedHead } = this.options;
    let undecided: readonly PendingAppend[] = requests;
    let committing = false;
    let group: NumberedGroup | undefined;
    let trace: GroupTrace | undefined;
    try {
      const after = this.headKid;
      const kid = await this.signing.activeKid(after);
      await checkedHead.prepare();
      const missing = await database.session(async (session): Promise<Missing | null> => {
        const timeoutMs = limits.signTimeoutMs + LOCK_GRACE_MS;
        const locked = await session.script<HeadRow>(
          statesHeads ? lockAllHeads(timeoutMs) : lockHead(shard, timeoutMs),
        );
        try {
          const request = this.stateRequest(requests);
          const [row] = await session.query<AppendStateRow>(APPEND_STATE, appendStateValues(request));
          const state = this.stateOf(row, request);
          const lacking = await this.missingFor(state, { kid, after }, session);
          if (lacking !== null) {
            await session.script('ROLLBACK');
            return lacking;
          }
          const readAt = performance.now();
          this.noticeOthers(state.head);
          group = this.number(requests, state, kid, [], statesHeads ? locked.map(positionOf) : null);
          const hashedAt = performance.now();
          const times = { startedAt, readMs: readAt - startedAt, hashMs: hashedAt - readAt };
          trace = GroupTrace.of(group, shard, times);
          undecided = undecidedOf(group);
          this.refuse(group.refused);
          this.answerStored(group);
          const numbered = group;
          const signed = await stepOf(trace, 'sign', () => this.signing.sign(numbered));
          const signedAt = performance.now();
          if (signed.spoilt.length > 0) {
            await session.script('ROLLBACK');
            this.dropSpoilt(signed, undecided);
            return null;
          }
          let end = 'COMMIT';
          if (signed.commit.events.length > 0) {
            const statement = commitGroup(signed.commit);
            const [row] = await stepOf(trace, 'insert', () => session.query<CommitGroupRow>(...statement));
            if (row?.moved !== true) throw lockIgnored(shard);
            if (statesHeads) end = `${raiseFences(group.head.seq)}; COMMIT`;
          }
          committing = true;
          const script = end;
          await stepOf(trace, 'commit', () => session.script(script));
          trace?.end(null);
          trace = undefined;
          this.succeeded({ group, ...times }, signed, 'locked', {
            signMs: signedAt - hashedAt,
            commitMs: performance.now() - signedAt,
          });
          return null;
        } catch (error) {
          await rollBack(session);
          throw error;
        }
      });
      if (missing !== null) await this.lookUp(missing, requests);
    } catch (error) {
      this.failed(undecided, error, { sent: committing, since: startedAt });
    } finally {
      trace?.end(new NotCommitted());
      this.queue.putBack(group?.deferred ?? []);
    }
  }

  /**
   * What has to be looked up before this writer may build on a head whose row it holds; null mostly. Waits for nothing but
   * that row's session.
   * @param key the key for the next group, and the one that it was asked to come after
   */
  private async missingFor(
    { head, headKid, fence }: AppendState,
    key: { kid: string; after: string | null },
    session: Session,
  ): Promise<Missing | null> {
    if (fence !== this.knownFence) return { fence };
    if (!(await this.isKnown(head, session))) return { head };
    this.headKid = headKid;
    // A shard never returns to an earlier key: which comes after this one, the signer may have to look up.
    return headKid === null || headKid === key.kid || headKid === key.after ? null : { after: headKid };
  }

  private async isKnown(head: HeadPosition, session: Session): Promise<boolean> {
    if (nameOf(head) === this.soundHead) return true;
    const { shard, checkedHead } = this.options;
    const [row] = head.seq === 0 ? [] : await session.query<EventRow>(HEAD_EVENT, [shard, head.seq]);
    if (!(await checkedHead.isKnown(head, row === undefined ? null : storedEvent(row)))) return false;
    this.soundHead = nameOf(head);
    return true;
  }

  /** Looks up what a group lacked under the lock, and has it begin again. */
  private async lookUp(missing: Missing, requests: readonly PendingAppend[]): Promise<void> {
    if ('fence' in missing) await this.lookUpKeys(missing.fence);
    if ('head' in missing) await this.assertSound(missing.head, []);
    // The key is asked for again anyway, now after the one that signed the head.
    this.again('head' in missing ? 'head_moved' : 'keys_changed', requests);
  }

  private stateRequest(requests: readonly PendingAppend[]): AppendStateRequest {
    const streams = new Set<string>();
    const claims: { caller: string; key: string }[] = [];
    const ids: string[] = [];
    for (const pending of requests) {
      for (const { stream } of pending.events) streams.add(stream);
      for (const { stream } of pending.requires) streams.add(stream);
      if (pending.idempotency) claims.push(pending.idempotency);
      if (pending.uncertain || pending.checkIds) ids.push(...pending.events.map(({ id }) => id));
      else ids.push(...pending.givenIds);
    }
    return { shard: this.options.shard, streams: [...streams], claims, ids };
  }

  private stateOf(row: AppendStateRow | undefined, request: AppendStateRequest): AppendState {
    const state = readAppendState(row, request);
    if (state !== null) return state;
    throw new EventStoreError(
      'chain_mismatch',
      `The database has no shard ${request.shard}; it was migrated for another number of shards.`,
      { shard: request.shard },
    );
  }

  /** Verifies a head that somebody else wrote. @throws EventStoreError `integrity` */
  private async assertSound(head: HeadPosition, ahead: readonly Flight[]): Promise<void> {
    const name = nameOf(head);
    if (name === this.soundHead || ahead.some(({ group }) => nameOf(group.head) === name)) return;
    await this.options.checkedHead.verify(head);
    this.soundHead = name;
  }

  /**
   * Returns the key for a group that comes after these: a shard never returns to an earlier key, whatever this process
   * knows of the registry. Looks again only when the key is not the last signer, so once in a rotation.
   */
  private async kidAfter(state: AppendState, unseen: readonly Flight[], kid: string): Promise<string> {
    const last = unseen.at(-1)?.group.signerKid ?? state.headKid;
    return last === null || last === kid ? kid : await this.signing.activeKid(last);
  }

  /** A fence that was seen before the look: what the signer knows afterwards is at least as new as the fence. */
  private async lookUpKeys(fence: number): Promise<void> {
    await this.signing.lookUpKeys();
    this.knownFence = fence;
  }

  private number(
    requests: readonly PendingAppend[],
    state: AppendState,
    signerKid: string,
    ahead: readonly Flight[],
    heads: readonly ShardPosition[] | null = null,
  ): NumberedGroup {
    const { origin, shard, eventTime } = this.options;
    const overlays = ahead.map(({ group }) => group);
    const base = overlays.at(-1)?.head ?? state.head;
    return numberGroup(requests, {
      origin,
      shard,
      signerKid,
      now: eventTime(),
      state,
      overlays,
      base,
      heads,
    });
  }

  private succeeded(
    flight: Omit<Flight, 'settled' | 'signed' | 'failed' | 'trace'>,
    signed: SignedGroup,
    mode: BatchReport['mode'],
    times: { signMs: number; commitMs: number },
  ): void {
    const { group } = flight;
    const { shard, observer, committed } = this.options;
    this.storeWorks();
    this.refuse(group.refusedIfCommitted);
    if (group.accepted.length === 0) return;
    this.lastOwnSeq = group.head.seq;
    this.soundHead = nameOf(group.head);
    this.headKid = group.signerKid;
    committed(group.head);
    const now = performance.now();
    let traceId: string | undefined;
    for (const { pending } of group.accepted) {
      const events = signed.events.get(pending) ?? [];
      const answer = signed.answers.get(pending);
      const last = events.at(-1)?.event;
      pending.resolve({
        replayed: false,
        events,
        position: `${shard}:${last?.seq ?? 0}`,
        ...(answer && { answer }),
      });
      const recorded = pending.trace && recordedTraceId(pending.trace);
      traceId ??= recorded;
      observer.onAppend?.(now - pending.enqueuedAt, recorded);
    }
    observer.onBatch?.({
      shard,
      size: group.accepted.length,
      events: signed.commit.events.length,
      queueDepth: this.queue.size,
      mode,
      readMs: flight.readMs,
      hashMs: flight.hashMs,
      ...times,
      totalMs: now - flight.startedAt,
      traceId,
    });
  }

  private storeWorks(): void {
    this.downSince = undefined;
    this.failures = 0;
    this.behindInARow = 0;
  }

  /**
   * Notes, while holding the head row, whether another process has moved it. After a while without, the lock is not
   * needed.
   */
  private noticeOthers(head: HeadPosition): void {
    if (head.seq !== this.lastOwnSeq) this.quietGroups = 0;
    else if (++this.quietGroups >= QUIET_GROUPS) this.mode = this.options.writing;
    this.lastOwnSeq = head.seq;
  }

  private again(reason: RetryReason, requests: readonly PendingAppend[]): void {
    this.options.observer.onRetry?.(reason, requests.length);
    this.queue.putBack(requests);
  }

  private dropSpoilt({ spoilt }: SignedGroup, undecided: readonly PendingAppend[]): void {
    this.refuse(spoilt);
    const gone = new Set(spoilt.map(({ pending }) => pending));
    this.queue.putBack(undecided.filter((pending) => !gone.has(pending)));
  }

  /**
   * @param undecided requests of the group without an answer yet
   * @param at `sent`: the commit was sent, so its outcome is unknown unless the server said that it rolled back;
   * `since`: when this attempt began (`performance.now()`)
   */
  private failed(
    undecided: readonly PendingAppend[],
    cause: unknown,
    at: { sent: boolean; since: number },
  ): void {
    if (cause instanceof EventStoreError && cause.code === 'store_behind') {
      void this.behind(undecided, cause);
      return;
    }
    if (cause instanceof EventStoreError) {
      this.refuseUnavailable(undecided, cause);
      if (cause.code === 'signing_unavailable') this.refuseUnavailable(this.aged(), cause);
      return;
    }
    const error = cause instanceof PostgresError ? cause : undefined;
    if (error?.code === 'no_partition') {
      void this.makeRoom(undecided, error, at);
      return;
    }
    if (error === undefined || OF_ONE_REQUEST.has(error.code)) {
      this.isolate(undecided, error ?? postgresError(cause, 'unreachable'));
      return;
    }
    if (at.sent && error.code === 'lost') for (const pending of undecided) pending.uncertain = true;
    this.tryLater(undecided, error, at.since);
  }

  /** Again after a pause, until the store has failed for too long. */
  private tryLater(undecided: readonly PendingAppend[], error: PostgresError, since: number): void {
    const now = performance.now();
    this.downSince ??= since;
    const backoff = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** this.failures++);
    this.pausedUntil = now + backoff;
    if (now - this.downSince < this.options.limits.storeTimeoutMs) {
      this.again(error.code === 'no_partition' ? 'no_partition' : 'store_error', undecided);
      return;
    }
    this.refuseUnavailable([...undecided, ...this.aged()], storeUnavailable(error));
  }

  /** Partitions are made long before they are needed; a group that comes before them makes its own. */
  private async makeRoom(
    undecided: readonly PendingAppend[],
    cause: PostgresError,
    { since }: { since: number },
  ): Promise<void> {
    this.answering++;
    try {
      await this.options.makePartitions();
      this.tryLater(undecided, cause, since);
    } catch (error) {
      this.tryLater(undecided, error instanceof PostgresError ? error : cause, since);
    } finally {
      this.answering--;
      this.schedule();
    }
  }

  /**
   * The signer has seen events that build on a position after the group's first. Either another process was first, and
   * the group is numbered again as usual, or the store itself has lost the later events.
   */
  private async behind(undecided: readonly PendingAppend[], cause: EventStoreError): Promise<void> {
    const { database, shard, observer } = this.options;
    this.answering++;
    try {
      const request: AppendStateRequest = { shard, streams: [], claims: [], ids: [] };
      const [row] = await database.step<AppendStateRow>(APPEND_STATE, appendStateValues(request));
      const head = this.stateOf(row, request).head.seq;
      const mark = Number(cause.details['mark']);
      if (head >= mark) {
        // Others get their turn at most a few times in a row: a signer that goes on saying so is not asked in a busy loop.
        if (++this.behindInARow > QUIET_GROUPS) this.pausedUntil = performance.now() + BACKOFF_MS;
        this.mode = 'locked';
        this.quietGroups = 0;
        this.again('head_moved', undecided);
        return;
      }
      observer.onBehind?.({ shard, head, mark });
      this.refuseUnavailable([...undecided, ...this.aged()], storeBehind({ shard, head, mark }, cause));
    } catch (error) {
      this.failed(undecided, error, { sent: false, since: performance.now() });
    } finally {
      this.answering--;
      this.schedule();
    }
  }

  /** The server rolled the group back because of one of its requests: finds which. */
  private isolate(undecided: readonly PendingAppend[], error: PostgresError): void {
    const [only] = undecided;
    if (error.code === 'unique_violation' && undecided.some((pending) => !pending.checkIds)) {
      // An id or a key that another process committed since it was looked up; the next look finds it.
      for (const pending of undecided) pending.checkIds = true;
    } else if (undecided.length > 1) {
      for (const pending of undecided) pending.alone = true;
    } else if (only) {
      this.refuseUnavailable(
        [only],
        error.code === 'invalid_value' ? invalidValue(error) : storeUnavailable(error),
      );
      return;
    }
    this.again(error.code === 'unique_violation' ? 'unique_violation' : 'store_error', undecided);
  }

  private refuse(refusals: readonly { pending: PendingAppend; error: EventStoreError }[]): void {
    for (const { pending, error } of refusals) pending.reject(error);
  }

  /** Refuses requests: signer or store are unreachable or unusable. */
  private refuseUnavailable(requests: readonly PendingAppend[], error: EventStoreError): void {
    this.refuse(
      requests.map((pending) => ({ pending, error: pending.uncertain ? outcomeUnknown(error) : error })),
    );
  }

  /** Requests that have waited too long to wait for another timeout. */
  private aged(): PendingAppend[] {
    return this.queue.takeOlderThan(performance.now() - this.options.limits.refuseQueuedAfterMs);
  }

  /** Answers requests that are already in the database, separately: the rest of the group does not wait for them. */
  private answerStored(group: NumberedGroup): void {
    const { findAnswered, findCommitted } = this.options;
    for (const pending of group.answered) void this.answerWith(pending, () => findAnswered(pending));
    for (const pending of group.committedBefore) void this.answerWith(pending, () => findCommitted(pending));
  }

  private async answerWith(pending: PendingAppend, find: () => Promise<AppendResult | null>): Promise<void> {
    this.answering++;
    try {
      const result = await find();
      if (result !== null) pending.resolve(result);
      // Purged between the two looks: a new request now.
      else this.queue.putBack([pending]);
    } catch (cause) {
      const known = cause instanceof EventStoreError;
      this.refuse([
        { pending, error: known ? cause : outcomeUnknown(storeUnavailable(postgresError(cause))) },
      ]);
    } finally {
      this.answering--;
      this.schedule();
    }
  }
}

/** What a group's span says of a group that is numbered again, or refused; its requests say why. */
class NotCommitted extends Error {
  readonly code = 'not_committed';

  constructor() {
    super('nothing of the group was committed');
  }
}

function nameOf({ seq, hash }: HeadPosition): string {
  return `${seq} ${hash}`;
}

function undecidedOf(group: NumberedGroup): PendingAppend[] {
  return [
    ...group.accepted.map(({ pending }) => pending),
    ...group.refusedIfCommitted.map(({ pending }) => pending),
  ];
}

function positionOf({ shard, seq, hash }: HeadRow): ShardPosition {
  return { shard, seq: Number(seq), hash };
}

function storeUnavailable(error: PostgresError): EventStoreError {
  return new EventStoreError(
    'store_unavailable',
    `Nothing was committed because PostgreSQL is not available: ${error.message}.`,
    { committed: false, kind: error.code },
    { cause: error },
  );
}

function storeBehind(
  behind: { shard: number; head: number; mark: number },
  cause: EventStoreError,
): EventStoreError {
  const { shard, head, mark } = behind;
  return new EventStoreError(
    'store_behind',
    `Nothing was committed: the store ends at ${shard}:${head}, but events that build on ${shard}:${mark} were signed already. The database was put back to an older state.`,
    { committed: false, ...behind },
    { cause },
  );
}

/** Error of a request that an earlier attempt may have committed, or still may. */
function outcomeUnknown(error: EventStoreError): EventStoreError {
  const { details, cause } = error;
  return new EventStoreError(
    'store_unavailable',
    `Whether this was committed is not known (${(cause as Error | undefined)?.message ?? error.message}). Ask again with the same idempotency key.`,
    { ...details, committed: 'unknown' },
    { cause: error },
  );
}

function lockIgnored(shard: number): PostgresError {
  return new PostgresError(
    'refused',
    `the head of shard ${shard} moved although its row was locked`,
    undefined,
  );
}

async function rollBack(session: Session): Promise<void> {
  if (session.broken) return;
  // A session that cannot even do this is closed, which rolls back too.
  await session.script('ROLLBACK').catch((error: Error) => {
    session.broken = error;
  });
}
