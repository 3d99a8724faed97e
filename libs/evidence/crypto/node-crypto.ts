import { createHash, createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { isSoundSignature } from './ed25519-signature';

/**
 * The cryptography of the formats (`#evidence-crypto`) on node:crypto. browser-crypto.ts has the same functions for
 * browsers; the conditions of package.json choose between the two.
 */

/** Key that `importKey` makes from 32 raw bytes, once for many verifications. */
export type PublicKey = KeyObject;

export function sha256(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

/** Lower-case hex SHA-256; a string is hashed as its UTF-8 bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  // The one-shot call is twice as fast for a kilobyte; it came with Node 20.12.
  return typeof hash === 'function'
    ? hash('sha256', data, 'hex')
    : createHash('sha256').update(data).digest('hex');
}

/** SHA-256 in base64, for callers that compare and hash again. */
export function sha256Base64(data: Uint8Array): string {
  return typeof hash === 'function'
    ? hash('sha256', data, 'base64')
    : createHash('sha256').update(data).digest('base64');
}

/** Takes the 32 raw bytes of an Ed25519 key that passed `checkRawPublicKey`: a weak one is not refused here. */
export function importKey(raw: Uint8Array): PublicKey {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: base64Url(raw) }, format: 'jwk' });
}

/**
 * Pure Ed25519 (RFC 8032 section 5.1.7, without a cofactor) on the calling thread; refuses what `isSoundSignature`
 * refuses, whatever this version of Node.js does.
 */
export function verifyEd25519(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return isSoundSignature(signature) && verify(null, message, publicKey, signature);
}

/** The same in the thread pool: other work goes on, and all cores are used. */
export function verifyEd25519Async(
  publicKey: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (!isSoundSignature(signature)) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    verify(null, message, publicKey, signature, (error, valid) => {
      if (error === null) resolve(valid);
      else reject(error);
    });
  });
}

/** ECDSA with SHA-256 on P-256; the signature is DER (RFC 3279 section 2.2.3), the point was checked. */
export function verifyEs256(
  x: Uint8Array,
  y: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = { kty: 'EC', crv: 'P-256', x: base64Url(x), y: base64Url(y) };
  return verify('sha256', message, createPublicKey({ key, format: 'jwk' }), signature);
}

function base64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
