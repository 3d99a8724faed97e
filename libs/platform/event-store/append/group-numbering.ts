import { canonicalize, EvidenceError, type JsonObject, sealEvent, type UnhashedEvent } from '#evidence';
import { type AppendState, claimKey, type HeadPosition } from './append-state.sql';
import { type PendingAppend, type PreparedEvent } from './pending-append';
import { EventStoreError } from '../event-store.error';

type Sealed = ReturnType<typeof sealEvent>;

/** Numbered and hashed, not signed yet. */
export interface NumberedEvent {
  sealed: Sealed;
  prepared: PreparedEvent;
}

export interface NumberedAppend {
  pending: PendingAppend;
  events: NumberedEvent[];
}

/**
 * Result of a group's commit, for the groups numbered on top of it before the commit: until then no one else can see
 * it.
 */
export interface Overlay {
  /** Stream -> version after the group. */
  readonly versions: ReadonlyMap<string, number>;
  /** `claimKey` of the answers it stores. */
  readonly claims: ReadonlySet<string>;
  /** Event ids that callers chose. */
  readonly ids: ReadonlySet<string>;
}

/** Outcome of the requests of one group. */
export interface NumberedGroup extends Overlay {
  base: HeadPosition;
  head: HeadPosition;
  /** Position known to be committed when the group was numbered; `base` may be ahead of it, with groups in flight. */
  committed: number;
  signerKid: string;
  /** The last change of the keys that the signer knew of. */
  fence: number;
  accepted: NumberedAppend[];
  /** Refused, whatever the outcome of the group. */
  refused: { pending: PendingAppend; error: EventStoreError }[];
  /** Refused if this group and those before it commit. */
  refusedIfCommitted: { pending: PendingAppend; error: EventStoreError }[];
  /** Their key or id is in this group or one before it: checked again when those are settled. */
  deferred: PendingAppend[];
  /** Their key already has an answer. */
  answered: PendingAppend[];
  /** Committed by an earlier attempt whose outcome was unknown. */
  committedBefore: PendingAppend[];
}

export interface NumberingContext {
  origin: string;
  shard: number;
  signerKid: string;
  /** Milliseconds since 1970. */
  now: number;
  /** State in PostgreSQL. */
  state: AppendState;
  /** Groups in flight, oldest first, with the head that the last of them will leave. */
  overlays: readonly Overlay[];
  base: HeadPosition;
  /** The heads of all shards, ascending, while their rows are locked; null for a group that states none. */
  heads?: readonly ShardPosition[] | null;
}

/** Position of a shard's head: `seq` 0 and the genesis hash when it is empty. */
export interface ShardPosition {
  shard: number;
  seq: number;
  /** Hex. */
  hash: string;
}

/** Decides each request of a group in turn, as if those before it were committed, and numbers those that fit. */
export function numberGroup(requests: readonly PendingAppend[], context: NumberingContext): NumberedGroup {
  const { state, base } = context;
  const versions = new Map<string, number>();
  const claims = new Set<string>();
  const ids = new Set<string>();
  const group: NumberedGroup = {
    base,
    head: base,
    committed: state.head.seq,
    signerKid: context.signerKid,
    fence: state.fence,
    versions,
    claims,
    ids,
    accepted: [],
    refused: [],
    refusedIfCommitted: [],
    deferred: [],
    answered: [],
    committedBefore: [],
  };
  const ahead: readonly Overlay[] = [group, ...context.overlays.toReversed()];
  const ms = Math.max(context.now, base.ms);

  for (const pending of requests) {
    if (pending.uncertain && pending.events.every(({ id }) => state.existingIds.has(id))) {
      group.committedBefore.push(pending);
      continue;
    }
    const claim = pending.idempotency && claimKey(pending.idempotency.caller, pending.idempotency.key);
    if (claim !== undefined) {
      // Whether it is the same request, and the answer ours, is seen when the answer is read.
      if (state.claims.has(claim)) {
        group.answered.push(pending);
        continue;
      }
      if (ahead.some((overlay) => overlay.claims.has(claim))) {
        group.deferred.push(pending);
        continue;
      }
    }
    const taken = pending.events.find(({ id }) => state.existingIds.has(id));
    if (taken) {
      group.refused.push({ pending, error: duplicateId(taken.id) });
      continue;
    }
    if (pending.givenIds.some((id) => ahead.some((overlay) => overlay.ids.has(id)))) {
      group.deferred.push(pending);
      continue;
    }

    const versionOf = (stream: string): { version: number; tentative: boolean } => {
      for (const overlay of ahead) {
        const version = overlay.versions.get(stream);
        if (version !== undefined) return { version, tentative: true };
      }
      return { version: state.versions.get(stream) ?? 0, tentative: false };
    };
    const numbered = numberRequest(pending, { ...context, ms, versionOf, head: group.head });
    if ('error' in numbered) {
      (numbered.tentative ? group.refusedIfCommitted : group.refused).push({
        pending,
        error: numbered.error,
      });
      continue;
    }
    group.accepted.push({ pending, events: numbered.events });
    group.head = numbered.head;
    for (const [stream, version] of numbered.versions) versions.set(stream, version);
    if (claim !== undefined) claims.add(claim);
    for (const id of pending.givenIds) ids.add(id);
  }
  return group;
}

interface RequestContext extends NumberingContext {
  ms: number;
  versionOf: (stream: string) => { version: number; tentative: boolean };
  head: HeadPosition;
}

type NumberedRequest =
  | { events: NumberedEvent[]; head: HeadPosition; versions: Map<string, number> }
  | { error: EventStoreError; tentative: boolean };

function numberRequest(pending: PendingAppend, context: RequestContext): NumberedRequest {
  const { origin, shard, signerKid, ms, versionOf } = context;
  const ts = new Date(ms).toISOString();
  const versions = new Map<string, number>();
  const events: NumberedEvent[] = [];
  let { head } = context;
  for (const { stream, version: required } of pending.requires) {
    const { version, tentative } = versionOf(stream);
    if (version !== required) return { error: conflict(stream, required, version), tentative };
  }
  const { keysAsOf } = pending;
  if (keysAsOf !== null && keysAsOf !== context.state.fence) {
    return { error: keysChanged(keysAsOf, context.state.fence), tentative: false };
  }
  for (const prepared of pending.events) {
    const own = versions.get(prepared.stream);
    const { version, tentative } =
      own === undefined ? versionOf(prepared.stream) : { version: own, tentative: false };
    if (prepared.expectedVersion !== null && prepared.expectedVersion !== version) {
      return { error: conflict(prepared.stream, prepared.expectedVersion, version), tentative };
    }
    const { payload, canonicalPayload } = withHeads(prepared, context, head);
    const event: UnhashedEvent = {
      v: 1,
      id: prepared.id,
      shard,
      seq: head.seq + 1,
      ts,
      type: prepared.type,
      stream: prepared.stream,
      streamVersion: version + 1,
      actor: pending.actor,
      payload,
      correlationId: pending.correlationId,
      causationId: pending.causationId,
      signerKid,
      prevHash: head.hash,
    };
    let sealed: Sealed;
    try {
      sealed = sealEvent(event, origin, { payload: canonicalPayload, grouped: true });
    } catch (error) {
      // A fault of this request alone: its numbers are simply not used.
      if (!(error instanceof EvidenceError)) throw error;
      return { error: unsealable(error, events.length), tentative: false };
    }
    events.push({ sealed, prepared });
    versions.set(prepared.stream, version + 1);
    head = { seq: event.seq, hash: sealed.hash, ms };
  }
  return { events, head, versions };
}

/** The payload with the heads that its event states: of its own shard, the event before it. */
function withHeads(
  { payload, canonicalPayload, statesHeads }: PreparedEvent,
  { shard, heads }: RequestContext,
  before: HeadPosition,
): { payload: JsonObject; canonicalPayload: string } {
  if (!statesHeads) return { payload, canonicalPayload };
  if (!heads) throw new TypeError('an event that states heads was numbered without their locks');
  const own = { shard, seq: before.seq, hash: before.hash };
  const stated = { ...payload, heads: heads.map((one) => (one.shard === shard ? own : { ...one })) };
  return { payload: stated, canonicalPayload: canonicalize(stated, 1) };
}

/**
 * Turns an EvidenceError into this lib's own; `pointer` is into the event, `eventIndex` counts through all writes from
 * 0.
 */
export function unsealable(error: EvidenceError, index: number): EventStoreError {
  return new EventStoreError(
    error.code === 'event_too_large' ? 'event_too_large' : 'invalid_request',
    error.message,
    { ...error.details, reason: error.code, eventIndex: index, pointer: error.pointer ?? '' },
    { cause: error },
  );
}

function conflict(stream: string, expected: number, actual: number): EventStoreError {
  return new EventStoreError(
    'version_conflict',
    `Stream ${stream} is at version ${actual}, not at ${expected}; load it again and decide anew.`,
    { stream, expected, actual },
  );
}

function keysChanged(expected: number, actual: number): EventStoreError {
  return new EventStoreError(
    'version_conflict',
    `The keys have changed at 0:${actual}, after 0:${expected}; load them again and decide anew.`,
    { expected, actual },
  );
}

function duplicateId(id: string): EventStoreError {
  return new EventStoreError('duplicate_event_id', `An event with the id ${id} exists already.`, { id });
}

export function mismatch(): EventStoreError {
  return new EventStoreError(
    'idempotency_mismatch',
    'This idempotency key was used before for another request; use a new key for a new request.',
  );
}
