import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';

/** DSSE envelope (github.com/secure-systems-lab/dsse, protocol v1.0). */
export interface Envelope {
  payloadType: string;
  /** Base64 of the payload bytes. */
  payload: string;
  signatures: { keyid: string; sig: string }[];
}

export const MANIFEST_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const encoder = new TextEncoder();

/** Pre-authentication encoding: the bytes a DSSE signature covers. Lengths are in bytes. */
export function dssePae(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const pae = new Uint8Array(head.length + payload.length);
  pae.set(head);
  pae.set(payload, head.length);
  return pae;
}

/** Reads a pre-authentication encoding back; null when it is not exactly one. */
export function parseDssePae(bytes: Uint8Array): { payloadType: string; payload: Uint8Array } | null {
  const type = readLengthPrefixed(bytes, 'DSSEv1 ');
  if (type === null) return null;
  const payload = readLengthPrefixed(type.rest, ' ');
  if (payload === null || payload.rest.length > 0) return null;
  try {
    return {
      payloadType: new TextDecoder('utf-8', { fatal: true }).decode(type.field),
      payload: payload.field,
    };
  } catch {
    return null;
  }
}

/** `<prefix><decimal length> <field>`, then the rest. */
function readLengthPrefixed(
  bytes: Uint8Array,
  prefix: string,
): { field: Uint8Array; rest: Uint8Array } | null {
  const head = String.fromCharCode(...bytes.subarray(0, prefix.length + 17));
  const match = /^(0|[1-9]\d{0,14}) /.exec(head.startsWith(prefix) ? head.slice(prefix.length) : '');
  if (match === null) return null;
  const start = prefix.length + match[0].length;
  const length = Number(match[1]);
  if (start + length > bytes.length) return null;
  return { field: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

export function buildEnvelope(payload: Uint8Array, keyid: string, sigBase64: string): Envelope {
  return {
    payloadType: MANIFEST_PAYLOAD_TYPE,
    payload: base64Encode(payload),
    signatures: [{ keyid, sig: sigBase64 }],
  };
}

/** Signatures of an envelope that are looked at, at most: each costs a verification for each key. */
export const MAX_ENVELOPE_SIGNATURES = 16;

export interface ParsedEnvelope {
  payloadType: string;
  payload: Uint8Array;
  /** `keyid` is null when it is missing; `sig` has any length, since others' keys may be of any kind. */
  signatures: { keyid: string | null; sig: Uint8Array }[];
}

/**
 * Takes an envelope apart as DSSE 1.0.2 asks consumers to: members that it does not know are ignored, a `keyid` may be
 * missing, base64 may be URL-safe, and others may have signed too.
 * @throws EvidenceError `invalid_envelope`
 */
export function parseEnvelope(value: unknown): ParsedEnvelope {
  if (!isRecord(value)) throw refuse('', 'it is not an object');
  const { payloadType, payload, signatures } = value;
  if (typeof payloadType !== 'string') throw refuse('/payloadType', 'payloadType must be a string');
  const bytes = typeof payload === 'string' ? decodeAnyBase64(payload) : null;
  if (bytes === null) throw refuse('/payload', 'payload must be base64');
  if (!Array.isArray(signatures) || signatures.length === 0) {
    throw refuse('/signatures', 'signatures must be an array with at least one entry');
  }
  if (signatures.length > MAX_ENVELOPE_SIGNATURES) {
    throw refuse('/signatures', `it has more than ${MAX_ENVELOPE_SIGNATURES} signatures`);
  }
  return {
    payloadType,
    payload: bytes,
    signatures: signatures.map((entry: unknown, i) => {
      if (!isRecord(entry)) throw refuse(`/signatures/${i}`, 'a signature must be an object');
      const { keyid = null, sig } = entry;
      if (keyid !== null && typeof keyid !== 'string') {
        throw refuse(`/signatures/${i}/keyid`, 'keyid must be a string');
      }
      const raw = typeof sig === 'string' ? decodeAnyBase64(sig) : null;
      if (raw === null) throw refuse(`/signatures/${i}/sig`, 'sig must be base64');
      // DSSE leaves an empty keyid equal to none.
      return { keyid: keyid === '' ? null : keyid, sig: raw };
    }),
  };
}

/**
 * The same for an envelope that only a kernel writes: exactly the members that it writes, in standard base64.
 * @throws EvidenceError `invalid_envelope`
 */
export function parseKernelEnvelope(value: unknown): ParsedEnvelope {
  if (!isRecord(value)) throw refuse('', 'it is not an object');
  const { payload, signatures } = value;
  refuseUnknown(value, ['payloadType', 'payload', 'signatures'], '');
  if (typeof payload === 'string' && base64Decode(payload) === null) {
    throw refuse('/payload', 'payload must be standard base64 with padding');
  }
  for (const [i, entry] of (Array.isArray(signatures) ? signatures : []).entries()) {
    if (!isRecord(entry)) continue;
    refuseUnknown(entry, ['keyid', 'sig'], `/signatures/${i}`);
    const { keyid, sig } = entry;
    if (typeof keyid !== 'string') throw refuse(`/signatures/${i}/keyid`, 'keyid must be a string');
    if (typeof sig === 'string' && base64Decode(sig)?.length === 64) continue;
    throw refuse(`/signatures/${i}/sig`, 'sig must be 64 bytes in standard base64 with padding');
  }
  return parseEnvelope(value);
}

function refuseUnknown(value: Record<string, unknown>, names: readonly string[], at: string): void {
  const name = Object.keys(value).find((one) => !names.includes(one));
  if (name === undefined) return;
  const pointer = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  throw refuse(pointer, 'it has an unknown member');
}

/** Standard or URL-safe alphabet, each with its padding or, URL-safe, without. */
function decodeAnyBase64(text: string): Uint8Array | null {
  const standard = base64Decode(text);
  if (standard !== null || /[+/]/.test(text)) return standard;
  const letters = text
    .replace(/={1,2}$/, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  const padded = letters.padEnd(Math.ceil(letters.length / 4) * 4, '=');
  return text.endsWith('=') && text.length !== padded.length ? null : base64Decode(padded);
}

function refuse(pointer: string, message: string): EvidenceError {
  return new EvidenceError('invalid_envelope', `This is no DSSE envelope: ${message}.`, { pointer });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
