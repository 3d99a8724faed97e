/**
 * What the formats need of a cryptographic library. The core names no implementation, so that a browser can bind
 * WebCrypto or noble; src/index.ts binds node:crypto.
 */
export interface EvidenceCrypto<Key = unknown> {
  /** Lower-case hex SHA-256; a string stands for its UTF-8 bytes. */
  sha256Hex: (data: string | Uint8Array) => string;
  /** Turns 32 raw public key bytes, already checked by `checkRawPublicKey`, into what `verify` takes. */
  importKey: (raw: Uint8Array) => Key;
  /** Pure Ed25519 (RFC 8032 section 5.1.7): S below the group order, no prehash. */
  verify: (key: Key, message: Uint8Array, signature: Uint8Array) => boolean;
}

export type Sha256Hex = EvidenceCrypto['sha256Hex'];

/** What signatures by people need on top: they may be made by a WebAuthn credential. */
export interface ApprovalCrypto<Key = unknown> extends EvidenceCrypto<Key> {
  sha256: (data: Uint8Array) => Uint8Array;
  /** ECDSA with SHA-256 on P-256; the signature is DER (RFC 3279 section 2.2.3), the point was checked. */
  verifyEs256: (x: Uint8Array, y: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}
