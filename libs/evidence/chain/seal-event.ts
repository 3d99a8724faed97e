import { sha256Hex } from '#evidence-crypto';
import {
  assertUnhashedEvent,
  isSignatureText,
  MAX_EVENT_BYTES,
  SIGNATURE_LENGTH,
  type AuditEvent,
  type UnhashedEvent,
} from './audit-event';
import { auditSigningInput } from './audit-signing-input';
import { MAX_GROUP_LENGTH, type EventGroup } from './event-group';
import { assertOrigin } from './origin';
import { canonicalize } from '../json/canonical-json';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';

export interface FinishedEvent {
  event: AuditEvent;
  /** The canonical bytes to store. */
  bytes: Uint8Array<ArrayBuffer>;
}

export interface SealedEvent {
  /** Hex SHA-256 of the canonical event without group, hash and signature. */
  hash: string;
  /** The bytes that the audit key signs when the event is a group by itself. */
  readonly signingInput: Uint8Array<ArrayBuffer>;
  /** Completes the event with the base64 signature over its group; without one, it is a group by itself. */
  finish: (signature: string, group?: EventGroup) => FinishedEvent;
}

export interface SealOptions {
  /** `canonicalize(event.payload, 1)`, for callers that already have it: it is half of the work. */
  payload?: string;
  /**
   * The event may be signed with any others: there is room for the longest path. Whether it is too large must not depend
   * on those that happen to be beside it.
   */
  grouped?: boolean;
}

/** `"hash":"<64>",` and `"signature":"<88>",` */
const HASH_AND_SIGNATURE = `"hash":"${'0'.repeat(64)}","signature":"${'0'.repeat(SIGNATURE_LENGTH)}",`.length;

const encoder = new TextEncoder();

/**
 * The canonical text of an event without group, hash and signature, cut where they belong: RFC 8785 sorts members, so
 * their places are known and the event need not be canonicalised again.
 *
 * @param payload `canonicalize(event.payload, 1)`, for callers that already have it
 */
export function canonicalParts(event: UnhashedEvent, payload?: string): [string, string, string] {
  // Read through the index signature: the checks below see the actual value, not what the type promises.
  const e = event as unknown as JsonObject;
  const part = (value: JsonValue | undefined): string => canonicalize(value as JsonValue, 1);
  return [
    `{"actor":${part(e['actor'])},"causationId":${part(e['causationId'])},"correlationId":${part(e['correlationId'])},`,
    `"id":${part(e['id'])},"payload":${payload ?? part(e['payload'])},"prevHash":${part(e['prevHash'])},"seq":${part(e['seq'])},"shard":${part(e['shard'])},`,
    `"signerKid":${part(e['signerKid'])},"stream":${part(e['stream'])},"streamVersion":${part(e['streamVersion'])},` +
      `"ts":${part(e['ts'])},"type":${part(e['type'])},"v":1}`,
  ];
}

/**
 * Hot path: canonicalises an event once and hashes it.
 * @throws EvidenceError `invalid_event` (pointer into the event), `invalid_origin`, what `canonicalize` refuses (pointer into the
 * payload's event), or `event_too_large` when the finished bytes would exceed MAX_EVENT_BYTES.
 */
export function sealEvent(
  event: UnhashedEvent,
  origin: string,
  { payload, grouped = false }: SealOptions = {},
): SealedEvent {
  assertOrigin(origin);
  assertUnhashedEvent(event as unknown as JsonObject);
  const [head, middle, tail] = partsWithPointer(event, payload);
  const unhashed = head + middle + tail;
  const alone = { first: event.seq, count: 1, path: [] };
  const spliced = HASH_AND_SIGNATURE + (grouped ? MAX_GROUP_LENGTH : groupText(alone).length);
  const size = sizeInUtf8(unhashed, MAX_EVENT_BYTES - spliced) + spliced;
  if (size > MAX_EVENT_BYTES) {
    throw new EvidenceError(
      'event_too_large',
      `The canonical event would be ${size} bytes; at most ${MAX_EVENT_BYTES} are allowed. Make the payload smaller.`,
      { pointer: '/payload', details: { size, limit: MAX_EVENT_BYTES } },
    );
  }
  const hash = sha256Hex(unhashed);
  return {
    hash,
    get signingInput() {
      return auditSigningInput({ origin, shard: event.shard, seq: event.seq, hash });
    },
    finish(signature, group = alone) {
      if (!isSignatureText(signature)) {
        throw new EvidenceError('invalid_signature', 'A signature is 64 bytes in base64 with padding.');
      }
      return {
        event: { ...event, group, hash, signature },
        bytes: encoder.encode(
          `${head}${groupText(group)}"hash":"${hash}",${middle}"signature":"${signature}",${tail}`,
        ),
      };
    },
  };
}

/** Hex SHA-256 of `JCS(event without group, hash and signature)`; those members are left aside if present. */
export function hashEvent(event: UnhashedEvent): string {
  const [head, middle, tail] = partsWithPointer(event);
  return sha256Hex(head + middle + tail);
}

/** `JCS(whole event)`: the bytes in the store, on the topic and in the archive. */
export function canonicalEventBytes(event: AuditEvent): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalize(event as unknown as JsonValue));
}

/** The member `group`, canonical. Paths are base64, with nothing to escape. */
function groupText({ first, count, path }: EventGroup): string {
  const hashes = path.length === 0 ? '' : `"${path.join('","')}"`;
  return `"group":{"count":${count},"first":${first},"path":[${hashes}]},`;
}

function partsWithPointer(event: UnhashedEvent, payload?: string): [string, string, string] {
  try {
    return canonicalParts(event, payload);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    // Canonicalise the whole event again: it fails at the same place, with a pointer from the event's root.
    canonicalize(event as unknown as JsonValue);
    throw error;
  }
}

/** Length in UTF-8 of a well-formed string, without encoding it; an upper bound when that is at most `enough`. */
function sizeInUtf8(text: string, enough: number): number {
  const { length } = text;
  if (length * 3 <= enough) return length * 3;
  let bytes = length;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) continue;
    // A surrogate pair is two units and four bytes: each half counts two.
    bytes += c < 0x800 || (c & 0xf800) === 0xd800 ? 1 : 2;
  }
  return bytes;
}
