import { importKey, type PublicKey } from '#evidence-crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

/** The text of an Ed25519 key has some 115 characters. */
const MAX_PEM = 1_024;
/** No two neighbouring parts match the same character, so that the time is linear whatever the text. */
const PEM = /^\s*-----BEGIN PUBLIC KEY-----(\s[A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----\s*$/;

/** The 32 raw bytes of a PEM public key. Refuses other algorithms; does not judge the point. */
export function rawKeyOfPem(pem: string): Uint8Array<ArrayBuffer> {
  const body = pem.length > MAX_PEM ? undefined : PEM.exec(pem)?.[1];
  const der = base64Decode(body?.replace(/\s/g, '') ?? '!');
  if (der === null) {
    throw new EvidenceError('invalid_public_key', 'This is no PEM public key (BEGIN PUBLIC KEY).');
  }
  if (der.length !== SPKI_PREFIX.length + 32 || !SPKI_PREFIX.every((byte, i) => der[i] === byte)) {
    throw new EvidenceError('invalid_public_key', 'The key must be an Ed25519 key (SPKI as in RFC 8410).');
  }
  return der.slice(SPKI_PREFIX.length);
}

/** DER SubjectPublicKeyInfo of 32 raw key bytes. */
export function spkiOfRawKey(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const der = new Uint8Array(SPKI_PREFIX.length + 32);
  der.set(SPKI_PREFIX);
  der.set(raw, SPKI_PREFIX.length);
  return der;
}

export function pemOfRawKey(raw: Uint8Array): string {
  return `-----BEGIN PUBLIC KEY-----\n${base64Encode(spkiOfRawKey(raw))}\n-----END PUBLIC KEY-----\n`;
}

/**
 * Refuses a public key under which common verifiers accept forged signatures: not on the curve, not canonically
 * encoded (RFC 8032 section 5.1.3), of small order, or outside the prime-order subgroup (where cofactored and
 * cofactorless verifiers disagree).
 * @throws EvidenceError `weak_public_key`, or `invalid_public_key` when it is not 32 bytes.
 */
export function checkRawPublicKey(raw: Uint8Array): void {
  if (raw.length !== 32) {
    throw new EvidenceError('invalid_public_key', `An Ed25519 public key has 32 bytes, not ${raw.length}.`);
  }
  let point: ReturnType<typeof ed25519.Point.fromBytes>;
  try {
    point = ed25519.Point.fromBytes(raw, false);
  } catch (cause) {
    throw new EvidenceError(
      'weak_public_key',
      'The public key is not on the curve or not canonically encoded.',
      {
        cause,
      },
    );
  }
  if (point.isSmallOrder()) {
    throw new EvidenceError(
      'weak_public_key',
      'The public key is of small order: anyone could forge signatures.',
    );
  }
  if (!point.isTorsionFree()) {
    throw new EvidenceError('weak_public_key', 'The public key is not in the prime-order subgroup.');
  }
}

const checked = new Map<string, Uint8Array<ArrayBuffer>>();
const CHECKED_LIMIT = 1_000;

/** The 32 raw bytes of a PEM public key that passed `checkRawPublicKey`; the check costs milliseconds, so it is kept. */
export function checkedKeyOfPem(pem: string): Uint8Array<ArrayBuffer> {
  const known = checked.get(pem);
  if (known !== undefined) return known;
  const raw = rawKeyOfPem(pem);
  checkRawPublicKey(raw);
  if (checked.size >= CHECKED_LIMIT) checked.clear();
  checked.set(pem, raw);
  return raw;
}

/**
 * Parses a public key once, for many verifications, and refuses weak ones (docs/spec/signers.md): node:crypto would
 * take them and then accept forged signatures.
 * @param key PEM text or the 32 raw bytes
 * @throws EvidenceError `invalid_public_key` or `weak_public_key`
 */
export function importPublicKey(key: string | Uint8Array): PublicKey {
  if (typeof key === 'string') return importKey(checkedKeyOfPem(key));
  checkRawPublicKey(key);
  return importKey(key);
}
