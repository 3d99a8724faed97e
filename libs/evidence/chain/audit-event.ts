import { EvidenceError } from '../evidence.error';
import { isEventGroup, MAX_GROUP_EVENTS, type EventGroup } from './event-group';
import { isCount } from '../json/count';
import { isTimestamp } from '../json/time';
import { type JsonObject, type JsonValue } from '../json/json-value';

export interface Actor {
  id: string;
  kind: 'service' | 'human' | 'system';
  roles: string[];
}

/** One audit event, formats as in docs/spec/audit-event.md. */
export interface AuditEvent {
  v: 1;
  /** UUIDv7, lower case. */
  id: string;
  shard: number;
  /** Position in the shard, from 1. */
  seq: number;
  /** RFC 3339 UTC with milliseconds. */
  ts: string;
  type: string;
  /** `<aggregate>/<id>` */
  stream: string;
  /** Position in the stream, from 1. */
  streamVersion: number;
  actor: Actor;
  payload: JsonObject;
  correlationId: string | null;
  causationId: string | null;
  signerKid: string;
  /** Hex SHA-256. */
  prevHash: string;
  /** The events that were signed with it. */
  group: EventGroup;
  /** Hex SHA-256 of the canonical event without `group`, `hash` and `signature`. */
  hash: string;
  /** Base64 Ed25519 over the signing input of the group. */
  signature: string;
}

export type UnhashedEvent = Omit<AuditEvent, 'group' | 'hash' | 'signature'>;

/** A canonical event must fit a tile entry of the transparency log (c2sp.org/tlog-tiles: a 16-bit length). */
export const MAX_EVENT_BYTES = 65_535;

/** 64 bytes in base64. */
export const SIGNATURE_LENGTH = 88;

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
export const HEX_SHA256 = /^[0-9a-f]{64}$/;
const TYPE = /^[a-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+$/;
// eslint-disable-next-line no-control-regex -- control characters are what a stream name must not hold
const STREAM = /^[a-z][A-Za-z0-9_-]*\/[^\u0000-\u001f\u007f]+$/;
const KID = /^[\x21-\x7e]{1,255}$/;
const MAX_NAME = 255;

export function isKid(text: unknown): text is string {
  return typeof text === 'string' && KID.test(text);
}

/** One rule per member: whether a value fits, and what was expected. In canonical (sorted) order. */
const MEMBERS: readonly [name: keyof AuditEvent, fits: (value: unknown) => boolean, expected: string][] = [
  ['actor', isActor, 'an object { id, kind: service|human|system, roles: [string] }'],
  ['causationId', isUuidOrNull, 'a UUID or null'],
  ['correlationId', isUuidOrNull, 'a UUID or null'],
  ['group', isObject, 'an object { count, first, path } of the group that was signed'],
  ['hash', isSha256, '64 lower-case hexadecimal digits'],
  ['id', (value) => typeof value === 'string' && UUID_V7.test(value), 'a lower-case UUIDv7'],
  ['payload', isObject, 'an object'],
  ['prevHash', isSha256, '64 lower-case hexadecimal digits'],
  ['seq', (value) => isCount(value, 1), 'an integer from 1'],
  ['shard', (value) => isCount(value, 0), 'an integer from 0'],
  ['signature', isSignatureText, '64 bytes in base64 with padding'],
  ['signerKid', isKid, '1 to 255 printable ASCII characters without spaces'],
  ['stream', isStream, '<aggregate>/<id>, at most 255 characters'],
  ['streamVersion', (value) => isCount(value, 1), 'an integer from 1'],
  ['ts', isTimestamp, 'RFC 3339 UTC with milliseconds'],
  ['type', isType, '<noun>.<past participle>, at most 255 characters'],
  ['v', (value) => value === 1, '1'],
];
const NAMES = new Set<string>(MEMBERS.map(([name]) => name));

/** Refuses an object that is not exactly an event: every member, no other, each as the format demands. */
export function assertAuditEvent(value: JsonValue): asserts value is JsonValue & AuditEvent {
  if (!isObject(value)) {
    throw new EvidenceError('invalid_event', 'An audit event is a JSON object.', { pointer: '' });
  }
  for (const [name, fits, expected] of MEMBERS) {
    const member = value[name];
    if (member === undefined || !fits(member)) {
      throw new EvidenceError(
        'invalid_event',
        `The member ${name} of an audit event ${member === undefined ? 'is missing' : 'is wrong'}: it must be ${expected}.`,
        { pointer: `/${name}` },
      );
    }
  }
  if (!isEventGroup(value['group'], value['seq'] as number)) {
    throw new EvidenceError(
      'invalid_event',
      `The member group of an audit event is wrong: it must be { count, first, path }, with count from 1 to ${MAX_GROUP_EVENTS}, the event's seq in the group, and the audit path that an event there has.`,
      { pointer: '/group' },
    );
  }
  assertNoOtherMember(value);
}

/** The same for an event that has no group, hash and signature yet. */
export function assertUnhashedEvent(value: JsonObject): asserts value is JsonObject & UnhashedEvent {
  for (const [name, fits, expected] of MEMBERS) {
    if (name === 'group' || name === 'hash' || name === 'signature') continue;
    if (!fits(value[name])) {
      throw new EvidenceError('invalid_event', `The member ${name} of an audit event must be ${expected}.`, {
        pointer: `/${name}`,
      });
    }
  }
  assertNoOtherMember(value);
}

function assertNoOtherMember(value: JsonObject): void {
  for (const name in value) {
    if (!NAMES.has(name)) {
      throw new EvidenceError('invalid_event', `An audit event has no member ${JSON.stringify(name)}.`, {
        pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      });
    }
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isActor(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { id, kind, roles } = value;
  if (typeof id !== 'string' || id.length === 0 || id.length > MAX_NAME) return false;
  if (kind !== 'service' && kind !== 'human' && kind !== 'system') return false;
  if (!Array.isArray(roles)) return false;
  for (const role of roles) if (typeof role !== 'string' || role.length === 0) return false;
  for (const name in value) if (name !== 'id' && name !== 'kind' && name !== 'roles') return false;
  return true;
}

function isUuidOrNull(value: unknown): boolean {
  return value === null || (typeof value === 'string' && UUID.test(value));
}

function isSha256(value: unknown): boolean {
  return typeof value === 'string' && HEX_SHA256.test(value);
}

/** 86 characters and two of padding; the last one carries two bits, so it is A, Q, g or w. */
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/;

export function isSignatureText(value: unknown): value is string {
  return typeof value === 'string' && SIGNATURE.test(value);
}

export function isStream(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_NAME && STREAM.test(value);
}

export function isType(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_NAME && TYPE.test(value);
}

/** Key of an event in the archive: `audit/YYYY/MM/DD/<id>.json`, date from `ts`. */
export function archiveKey(event: Pick<AuditEvent, 'id' | 'ts'>): string {
  return `audit/${event.ts.slice(0, 4)}/${event.ts.slice(5, 7)}/${event.ts.slice(8, 10)}/${event.id}.json`;
}
