import { createHash, createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { type ApprovalCrypto, type EvidenceCrypto } from './evidence-crypto';
import { checkedKeyOfPem, checkRawPublicKey, spkiOfRawKey } from './keys/public-key';

/** Hex SHA-256; a string stands for its UTF-8 bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  // The one-shot call is twice as fast for a kilobyte; it came with Node 20.12.
  return typeof hash === 'function'
    ? hash('sha256', data, 'hex')
    : createHash('sha256').update(data).digest('hex');
}

/**
 * Parses a public key once, for many verifications, and refuses weak ones (docs/spec/signers.md): node:crypto would
 * take them and then accept forged signatures.
 * @param key PEM text or the 32 raw bytes
 * @throws EvidenceError `invalid_public_key` or `weak_public_key`
 */
export function importPublicKey(key: string | Uint8Array): KeyObject {
  if (typeof key === 'string') return keyObject(checkedKeyOfPem(key));
  checkRawPublicKey(key);
  return keyObject(key);
}

function keyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spkiOfRawKey(raw)), format: 'der', type: 'spki' });
}

/** Pure Ed25519 on the calling thread. */
export function verifyEd25519(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, message, publicKey, signature);
}

/** The same in the thread pool: other work goes on, and all cores take part. */
export function verifyEd25519Async(
  publicKey: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(null, message, publicKey, signature, (error, valid) => {
      if (error === null) resolve(valid);
      else reject(error);
    });
  });
}

export const nodeCrypto: EvidenceCrypto<KeyObject> = {
  sha256Hex,
  importKey: keyObject,
  verify: verifyEd25519,
};

/** DER SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480 section 2). */
const P256_SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

export const nodeApprovalCrypto: ApprovalCrypto<KeyObject> = {
  ...nodeCrypto,
  sha256: (data) => createHash('sha256').update(data).digest(),
  verifyEs256: (x, y, message, signature) => {
    const key = createPublicKey({
      key: Buffer.concat([P256_SPKI_PREFIX, x, y]),
      format: 'der',
      type: 'spki',
    });
    return verify('sha256', message, key, signature);
  },
};
