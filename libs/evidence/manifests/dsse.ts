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

/** Takes an envelope apart. Members that DSSE does not know are refused: nothing unsigned should look signed. */
export function parseEnvelope(value: unknown): {
  payloadType: string;
  payload: Uint8Array;
  signatures: { keyid: string; sig: Uint8Array }[];
} {
  const refuse = (pointer: string, message: string): EvidenceError =>
    new EvidenceError('invalid_envelope', `This is no DSSE envelope: ${message}.`, { pointer });
  if (!isRecord(value)) throw refuse('', 'it is not an object');
  const { payloadType, payload, signatures } = value;
  for (const name of Object.keys(value)) {
    if (name !== 'payloadType' && name !== 'payload' && name !== 'signatures') {
      throw refuse(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, 'it has an unknown member');
    }
  }
  if (typeof payloadType !== 'string') throw refuse('/payloadType', 'payloadType must be a string');
  const bytes = typeof payload === 'string' ? base64Decode(payload) : null;
  if (bytes === null) throw refuse('/payload', 'payload must be standard base64 with padding');
  if (!Array.isArray(signatures) || signatures.length === 0) {
    throw refuse('/signatures', 'signatures must be an array with at least one entry');
  }
  return {
    payloadType,
    payload: bytes,
    signatures: signatures.map((entry: unknown, i) => {
      if (!isRecord(entry)) throw refuse(`/signatures/${i}`, 'a signature must be an object');
      const { keyid, sig } = entry;
      if (typeof keyid !== 'string') throw refuse(`/signatures/${i}/keyid`, 'keyid must be a string');
      const raw = typeof sig === 'string' ? base64Decode(sig) : null;
      if (raw?.length !== 64) {
        throw refuse(`/signatures/${i}/sig`, 'sig must be 64 bytes in standard base64 with padding');
      }
      return { keyid, sig: raw };
    }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
