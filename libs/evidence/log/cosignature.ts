import { EvidenceError } from '../evidence.error';

/**
 * Cosignature of a witness, by Ed25519 (c2sp.org/tlog-cosignature): as of a time, this checkpoint is of the largest tree
 * that the witness has seen of the log, and consistent with all that it saw before.
 */
export interface TimestampedSignature {
  /** POSIX seconds. */
  time: number;
  /** 64 bytes, over `cosignatureInput`. */
  signature: Uint8Array;
}

const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;
const encoder = new TextEncoder();

/**
 * The bytes that a witness signs.
 * @param time POSIX seconds
 * @param text of a checkpoint, which the caller has read as one
 * @throws EvidenceError `invalid_cosignature` when the time is no whole number of seconds below 2^53
 */
export function cosignatureInput(time: number, text: string): Uint8Array<ArrayBuffer> {
  assertTime(time);
  return encoder.encode(`cosignature/v1\ntime ${time}\n${text}`);
}

/** What stands in the signature line, after the key's hash. @throws EvidenceError `invalid_cosignature` */
export function timestampedSignature({ time, signature }: TimestampedSignature): Uint8Array<ArrayBuffer> {
  assertTime(time);
  if (signature.length !== SIGNATURE_BYTES) {
    throw new EvidenceError('invalid_cosignature', `An Ed25519 signature has ${SIGNATURE_BYTES} bytes.`);
  }
  const bytes = new Uint8Array(TIME_BYTES + SIGNATURE_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time));
  bytes.set(signature, TIME_BYTES);
  return bytes;
}

/** Reads it; null when it has another length, or a time that no cosignature of our millennia has. */
export function parseTimestampedSignature(bytes: Uint8Array): TimestampedSignature | null {
  if (bytes.length !== TIME_BYTES + SIGNATURE_BYTES) return null;
  const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  return Number.isSafeInteger(time) ? { time, signature: bytes.slice(TIME_BYTES) } : null;
}

function assertTime(time: number): void {
  if (Number.isSafeInteger(time) && time >= 0) return;
  throw new EvidenceError(
    'invalid_cosignature',
    'The time of a cosignature is a whole number of seconds since 1970.',
  );
}
