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
import { canonicalize } from '../json/canonical-json';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';

export interface SealedEvent {
  /** Hex SHA-256 of the canonical event without hash and signature. */
  hash: string;
  /** The bytes that the audit key signs. */
  signingInput: Uint8Array<ArrayBuffer>;
  /** Completes the event with its base64 signature; `bytes` are the canonical bytes to store. */
  finish: (signature: string) => { event: AuditEvent; bytes: Uint8Array<ArrayBuffer> };
}

/** `"hash":"<64>",` and `"signature":"<88>",` */
const SPLICED_LENGTH = `"hash":"${'0'.repeat(64)}","signature":"${'0'.repeat(SIGNATURE_LENGTH)}",`.length;

const encoder = new TextEncoder();

/**
 * The canonical text of an event without hash and signature, cut where the two belong: RFC 8785 sorts members, so
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
 * Hot path: canonicalises an event once, hashes it and returns the bytes to sign.
 * @throws EvidenceError `invalid_event` (pointer into the event), `invalid_origin`, what `canonicalize` refuses (pointer into the
 * payload's event), or `event_too_large` when the finished bytes would exceed MAX_EVENT_BYTES.
 * @param payload see `canonicalParts`: it is half of the work
 */
export function sealEvent(event: UnhashedEvent, origin: string, payload?: string): SealedEvent {
  assertUnhashedEvent(event as unknown as JsonObject);
  const [head, middle, tail] = partsWithPointer(event, payload);
  const unhashed = head + middle + tail;
  const size = sizeInUtf8(unhashed) + SPLICED_LENGTH;
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
    signingInput: auditSigningInput({ origin, shard: event.shard, seq: event.seq, hash }),
    finish(signature) {
      if (!isSignatureText(signature)) {
        throw new EvidenceError('invalid_signature', 'A signature is 64 bytes in base64 with padding.');
      }
      return {
        event: { ...event, hash, signature },
        bytes: encoder.encode(`${head}"hash":"${hash}",${middle}"signature":"${signature}",${tail}`),
      };
    },
  };
}

/** Hex SHA-256 of `JCS(event without hash and signature)`. Members `hash` and `signature` are left aside if present. */
export function hashEvent(event: UnhashedEvent): string {
  const [head, middle, tail] = partsWithPointer(event);
  return sha256Hex(head + middle + tail);
}

/** `JCS(whole event)`: the bytes in the store, on the topic and in the archive. */
export function canonicalEventBytes(event: AuditEvent): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalize(event as unknown as JsonValue));
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

/** Length in UTF-8 of a well-formed string, without encoding it; an upper bound when that is small enough. */
function sizeInUtf8(text: string): number {
  const { length } = text;
  if (length * 3 + SPLICED_LENGTH <= MAX_EVENT_BYTES) return length * 3;
  let bytes = length;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) continue;
    // A surrogate pair is two units and four bytes: each half counts two.
    bytes += c < 0x800 || (c & 0xf800) === 0xd800 ? 1 : 2;
  }
  return bytes;
}
