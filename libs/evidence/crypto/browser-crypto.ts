import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { base64Encode } from '../json/base64';
import { isSoundSignature } from './ed25519-signature';

/**
 * The cryptography of the formats (`#evidence-crypto`) in browsers: the functions of node-crypto.ts. WebCrypto answers
 * by promise only, so synchronous functions come from noble; `verifyEd25519Async` uses WebCrypto, for many events.
 */

type Point = InstanceType<typeof ed25519.Point>;

/** Key that `importKey` makes from 32 raw bytes, once for many verifications. */
export interface PublicKey {
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly point: Point;
  /** Null where WebCrypto cannot import it; undefined until that is tried. */
  imported?: Promise<Awaited<ReturnType<typeof crypto.subtle.importKey>> | null>;
}

export { sha256 };

/** Lower-case hex SHA-256; a string is hashed as its UTF-8 bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return bytesToHex(sha256(typeof data === 'string' ? utf8ToBytes(data) : data));
}

/** SHA-256 in base64, for callers that compare and hash again. */
export function sha256Base64(data: Uint8Array): string {
  return base64Encode(sha256(data));
}

/** Takes the 32 raw bytes of an Ed25519 key that passed `checkRawPublicKey`: a weak one is not refused here. */
export function importKey(raw: Uint8Array): PublicKey {
  return { raw: Uint8Array.from(raw), point: ed25519.Point.fromBytes(raw) };
}

/**
 * Pure Ed25519 (RFC 8032 section 5.1.7) as node-crypto.ts judges it: without a cofactor, and only a signature that
 * `isSoundSignature` takes. noble's own verify multiplies by the cofactor, and would take signatures that Node.js refuses.
 */
export function verifyEd25519(
  { raw, point }: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!isSoundSignature(signature)) return false;
  const [R, S] = [signature.subarray(0, 32), numberOf(signature.subarray(32))];
  const k = ed25519.Point.Fn.create(numberOf(sha512(concatBytes(R, raw, message))));
  const expected = ed25519.Point.BASE.multiplyUnsafe(S).subtract(point.multiplyUnsafe(k));
  return expected.toBytes().every((byte, i) => byte === R[i]);
}

/** The same by WebCrypto, in parallel with other work; by noble where it has no Ed25519 or the page may not use it. */
export async function verifyEd25519Async(
  publicKey: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (!isSoundSignature(signature)) return false;
  publicKey.imported ??= crypto.subtle
    ?.importKey('raw', publicKey.raw, 'Ed25519', false, ['verify'])
    .catch(() => null);
  const key = await publicKey.imported;
  if (!key) return verifyEd25519(publicKey, message, signature);
  return crypto.subtle.verify('Ed25519', key, Uint8Array.from(signature), Uint8Array.from(message));
}

/** ECDSA with SHA-256 on P-256; the signature is DER (RFC 3279 section 2.2.3), the point was checked. */
export function verifyEs256(
  x: Uint8Array,
  y: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    // Authenticators sign with either S; noble would take only the lower one.
    return p256.verify(signature, message, Uint8Array.of(4, ...x, ...y), { format: 'der', lowS: false });
  } catch {
    // Not DER, or numbers beyond the curve's order.
    return false;
  }
}

/** Little-endian. */
function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(bytes.toReversed())}`);
}
