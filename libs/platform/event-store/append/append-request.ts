import {
  assertStrictJson,
  canonicalize,
  EvidenceError,
  isRegistryEvent,
  type JsonObject,
  MAX_EVENT_BYTES,
} from '#evidence';
import { unsealable } from './group-numbering';
import { type PendingAppend, type PreparedEvent } from './pending-append';
import { shardOf } from './shard-of';
import { EventStoreError } from '../event-store.error';
import { type AppendRequest, type NewEvent, type StreamWrite } from '../event-store.types';
import {
  MAX_CALLER_BYTES,
  MAX_DIVISION_BYTES,
  MAX_EVENTS_PER_REQUEST,
  MAX_IDEMPOTENCY_KEY_BYTES,
  MAX_REQUEST_HASH_BYTES,
} from '../limits';

/** Part of a request that does not depend on the time of its commit. */
export type PreparedAppend = Omit<
  PendingAppend,
  'enqueuedAt' | 'trace' | 'ticket' | 'uncertain' | 'checkIds' | 'alone' | 'resolve' | 'reject'
>;

/**
 * Checks everything about a request that can be checked before its group, so that a fault in one request never affects
 * those beside it.
 *
 * @throws EventStoreError `invalid_request`, `event_too_large`, `streams_span_shards`; `details.pointer` is a JSON
 * Pointer into the request, or into the event where `details.eventIndex` says which
 */
export function prepareAppend(
  request: AppendRequest,
  shards: number,
  newId: () => string,
): PreparedAppend & { shard: number } {
  const { actor, idempotency } = request;
  checkActor(actor);
  const correlationId = uuidOrNull('correlationId', request.correlationId);
  const causationId = uuidOrNull('causationId', request.causationId);
  // From here on the types may be wrong: a request may come from code that TypeScript never saw.
  const writes: readonly StreamWrite[] = Array.isArray(request.writes) ? request.writes : [];

  const events: PreparedEvent[] = [];
  const givenIds: string[] = [];
  let bytes = 0;
  let shard: number | undefined;
  for (const [index, { stream, expectedVersion, events: given }] of writes.entries()) {
    if (!isStream(stream)) {
      throw invalid(`/writes/${index}/stream`, `A stream is named <aggregate>/<id>, at most 255 characters.`);
    }
    if (expectedVersion !== 'any' && !(Number.isSafeInteger(expectedVersion) && expectedVersion >= 0)) {
      throw invalid(
        `/writes/${index}/expectedVersion`,
        `The expected version is an integer from 0, or "any".`,
      );
    }
    if (!Array.isArray(given) || given.length === 0) {
      throw invalid(`/writes/${index}/events`, 'A write has at least one event.');
    }
    const home = shardOf(stream, shards);
    shard ??= home;
    if (home !== shard) throw spansShards(writes, shards);
    for (const event of given as readonly NewEvent[]) {
      const at = events.length;
      if (at >= MAX_EVENTS_PER_REQUEST) {
        throw invalid('/writes', `A request has at most ${MAX_EVENTS_PER_REQUEST} events.`);
      }
      const canonicalPayload = checkEvent(event, at);
      const statesHeads = stream.startsWith('signer/') && isRegistryEvent({ type: event.type, stream });
      if (statesHeads && 'heads' in event.payload) {
        throw new EventStoreError('invalid_request', 'The store itself adds the heads at the commit.', {
          eventIndex: at,
          pointer: '/payload/heads',
        });
      }
      bytes += Buffer.byteLength(canonicalPayload);
      const id = event.id ?? newId();
      if (event.id !== undefined) givenIds.push(event.id);
      events.push({
        id,
        type: event.type,
        stream,
        expectedVersion: event === given[0] && expectedVersion !== 'any' ? expectedVersion : null,
        payload: event.payload,
        canonicalPayload,
        statesHeads,
        division: event.division ?? null,
      });
    }
  }
  if (shard === undefined) throw invalid('/writes', 'A request has at least one event.');
  const requires = request.requires ?? [];
  for (const [index, { stream, version }] of requires.entries()) {
    if (!isStream(stream) || !Number.isSafeInteger(version) || version < 0) {
      throw invalid(`/requires/${index}`, 'A required version is { stream, version }, the version from 0.');
    }
    if (shardOf(stream, shards) !== shard) throw spansShards([...writes, { stream }], shards);
  }
  if (new Set(givenIds).size < givenIds.length) throw invalid('/writes', 'Two events have the same id.');
  if (idempotency) checkIdempotency(idempotency);
  const keysAsOf = request.keysAsOf ?? null;
  const statesHeads = events.some((event) => event.statesHeads);
  return {
    shard,
    actor,
    correlationId,
    causationId,
    events,
    requires,
    keysAsOf,
    statesHeads,
    givenIds,
    idempotency,
    bytes,
  };
}

/** Returns the canonical text of the payload. */
function checkEvent(event: NewEvent, index: number): string {
  const fail = (pointer: string, message: string): never => {
    throw new EventStoreError('invalid_request', message, { eventIndex: index, pointer });
  };
  if (!isType(event.type)) fail('/type', 'A type is <noun>.<past participle>, at most 255 characters.');
  if (event.id !== undefined && !UUID_V7.test(event.id)) fail('/id', 'An event id is a lower-case UUIDv7.');
  const { division, payload } = event;
  if (division !== undefined && division !== null && !isText(division, MAX_DIVISION_BYTES)) {
    fail('/division', `A division is a text of at most ${MAX_DIVISION_BYTES} bytes.`);
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    fail('/payload', 'A payload is an object.');
  }
  const canonical = canonicalPayload(payload, index);
  const size = Buffer.byteLength(canonical);
  if (size > MAX_EVENT_BYTES) {
    throw new EventStoreError(
      'event_too_large',
      `The payload alone is ${size} bytes; a whole event is at most ${MAX_EVENT_BYTES}. Make it smaller.`,
      { size, limit: MAX_EVENT_BYTES, eventIndex: index, pointer: '/payload' },
    );
  }
  return canonical;
}

/** Strict JSON (docs/spec/json.md), one level down in the event; writing and checking are the same walk. */
function canonicalPayload(payload: JsonObject, index: number): string {
  try {
    return canonicalize(payload, 1);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const { code, message, cause, details } = error;
    const inEvent = new EvidenceError(code, message, {
      pointer: offenceIn(payload) ?? `/payload${error.pointer ?? ''}`,
      cause,
      details,
    });
    throw unsealable(inEvent, index);
  }
}

/** Returns the place of the fault in the event: the fast walk above does not track its path. */
function offenceIn(payload: JsonObject): string | undefined {
  try {
    assertStrictJson({ payload });
    return undefined;
  } catch (error) {
    return error instanceof EvidenceError ? error.pointer : undefined;
  }
}

function checkIdempotency({
  caller,
  key,
  requestHash,
  answer,
}: NonNullable<AppendRequest['idempotency']>): void {
  checkAnswerKey({ caller, key, requestHash });
  if (typeof answer !== 'function') throw invalid('/idempotency/answer', 'The answer is a function.');
}

/** @throws EventStoreError `invalid_request` */
export function checkAnswerKey(claim: { caller: string; key: string; requestHash: string }): void {
  const bounds = {
    caller: MAX_CALLER_BYTES,
    key: MAX_IDEMPOTENCY_KEY_BYTES,
    requestHash: MAX_REQUEST_HASH_BYTES,
  };
  for (const [name, limit] of Object.entries(bounds)) {
    const value = claim[name as keyof typeof bounds];
    if (isText(value, limit)) continue;
    throw invalid(
      `/idempotency/${name}`,
      `The idempotency ${name} is a text of 1 to ${limit} bytes without control characters.`,
    );
  }
}

// Names as in docs/spec/audit-event.md. PostgreSQL would refuse a NUL, and the whole group with it.
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const TYPE = /^[a-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+$/;
// eslint-disable-next-line no-control-regex -- control characters are what a stream name must not hold
const STREAM = /^[a-z][A-Za-z0-9_-]*\/[^\u0000-\u001f\u007f]+$/;
const CONTROL = /\p{Cc}/u;
const MAX_NAME = 255;

function isType(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_NAME && TYPE.test(value);
}

function isStream(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_NAME && value.isWellFormed() && STREAM.test(value);
}

function isText(value: unknown, maxBytes: number): boolean {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= maxBytes &&
    value.isWellFormed() &&
    !CONTROL.test(value) &&
    Buffer.byteLength(value) <= maxBytes
  );
}

function checkActor(actor: AppendRequest['actor']): void {
  const { id, kind, roles, ...others } = (actor ?? {}) as unknown as Record<string, unknown>;
  const fits =
    typeof id === 'string' &&
    id.length <= MAX_NAME &&
    isText(id, MAX_NAME * 4) &&
    (kind === 'service' || kind === 'human' || kind === 'system') &&
    Array.isArray(roles) &&
    roles.every((role) => typeof role === 'string' && role !== '' && role.isWellFormed()) &&
    Object.keys(others).length === 0;
  if (!fits) throw invalid('/actor', 'An actor is { id, kind: service|human|system, roles: [string] }.');
}

function uuidOrNull(name: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && UUID.test(value)) return value;
  throw invalid(`/${name}`, `The ${name} must be a UUID or null.`);
}

function spansShards(writes: readonly { stream: string }[], shards: number): EventStoreError {
  const homes = Object.fromEntries(writes.map(({ stream }) => [stream, shardOf(stream, shards)]));
  return new EventStoreError(
    'streams_span_shards',
    'The streams of one request must lie in one shard, because only a shard commits as a whole; send one request for each.',
    { shards: homes },
  );
}

function invalid(pointer: string, message: string): EventStoreError {
  return new EventStoreError('invalid_request', message, { pointer });
}
