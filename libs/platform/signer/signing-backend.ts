import { z } from 'zod';
import { samePublicKey, type SignerPurpose } from '#evidence';
import { type KeyProtection } from './key-protection';
import { SignerError } from './signer.error';
import { type LastCheckpoint, type TreeHead } from './signing-contract';

/** Public facts about a signing key: everything but the key. */
export interface KeyInfo {
  kid: string;
  /** Version of the key material under this kid; '1' where the backend has no versions of its own. */
  keyVersion: string;
  algorithm: 'ed25519';
  /** SPKI, PEM. */
  publicKeyPem: string;
  purposes: SignerPurpose[];
  backend: string;
  protection: KeyProtection;
  /** RFC 3339 UTC; null where the token does not record it. PKCS#11 knows the day only. */
  createdAt: string | null;
}

/** Key that a backend is asked to hold, and what it may sign. */
export interface KeyRequest {
  /** 1 to 128 of A-Z a-z 0-9 . _ - and no leading dot: it is a file name and a token label as well. */
  kid: string;
  purposes: SignerPurpose[];
  /** aws-kms: key id, ARN or alias (default `alias/<kid>`). vault-transit: name of the key (default the kid). */
  keyId?: string | undefined;
  /** vault-transit: which version of the key this kid is. Needed once it has several. */
  keyVersion?: number | undefined;
}

export interface BackendHealth {
  ok: boolean;
  /** One sentence for the operator. */
  detail: string;
}

/** A key that was made before. */
export interface MadeKeyRequest extends KeyRequest {
  /** SPKI, PEM, as it was when it was made. */
  publicKeyPem: string;
}

/**
 * Makes keys in a backend. The caller makes one at a time, whatever the number of processes, and remembers what was
 * made: few backends can say what their keys are for.
 */
export interface KeyMaker {
  /** Whether the backend already has something of this name, whatever its origin. @throws SignerError */
  has(kid: string): Promise<boolean>;
  /**
   * Makes the key, unless an interrupted attempt has left a sound one; checks it as at a start, self-tests it, and
   * holds it from then on. A second call holds the same key.
   * @throws SignerError `key_exists` (held for other purposes), `key_refused`, `signing_unavailable`, `token_error`
   */
  make(request: KeyRequest): Promise<KeyInfo>;
  /**
   * Holds a key that another process, or this one earlier, has made; only if it has this public key.
   * @throws SignerError `unknown_key`, `key_exists`, `key_refused`, `signing_unavailable`, `token_error`
   */
  take(request: MadeKeyRequest): Promise<KeyInfo>;
}

/** @throws SignerError `key_refused` when the public key under the name is not the one that was made */
export function assertAsMade({ kid, publicKeyPem }: KeyInfo, request: KeyRequest | MadeKeyRequest): void {
  if (!('publicKeyPem' in request) || samePublicKey(request.publicKeyPem, publicKeyPem)) return;
  throw new SignerError('key_refused', `The key ${kid} is not the one that was made under this name`, {
    kid,
  });
}

/** @throws SignerError `key_exists` when the key of this name is for something else */
export function sameKey(held: KeyInfo, { kid, purposes }: KeyRequest): KeyInfo {
  if (held.purposes.length === purposes.length && held.purposes.every((one) => purposes.includes(one))) {
    return held;
  }
  throw new SignerError(
    'key_exists',
    `There is a key ${kid} already, for ${held.purposes.join(' and ')}: choose another name`,
    { kid },
  );
}

/**
 * The port in front of private keys. A backend signs whatever it is given with pure Ed25519 (RFC 8032):
 * apps/signing-proxy in front of it decides what may be signed.
 */
export interface SigningBackend {
  readonly name: string;
  keys(): readonly KeyInfo[];
  /**
   * Returns raw 64-byte signatures in the order of the messages; all or none.
   * @param signal aborted when no caller waits for them any more
   * @param hints what the caller has said about the messages; for a backend that judges them itself
   * @throws SignerError `unknown_key`, `signing_unavailable`, `token_error`, `closed`
   */
  sign(
    kid: string,
    messages: readonly Uint8Array[],
    signal?: AbortSignal,
    hints?: SigningHints,
  ): Promise<Uint8Array[]>;
  /** Signs and verifies a fixed message with each key, so that "ok" means it would sign now. */
  health(): Promise<BackendHealth>;
  close(): Promise<void>;
  /** Maker of keys here; absent, or a sentence on who makes them and how, where the operator does it. */
  readonly maker?: KeyMaker | string | undefined;
  /** Present where the backend itself remembers the logs: it signs no raw checkpoint. */
  readonly checkpoints?: CheckpointAuthority | undefined;
}

export interface SigningHints {
  /** For each message, where it is an audit event: the position of its shard that is known to be committed. */
  committed: readonly (number | undefined)[];
}

/** Asks for a signature over the checkpoint of a shard's log. */
export interface CheckpointSignatureRequest extends TreeHead {
  /** The only checkpoint key of the proxy, unless given. */
  kid?: string | undefined;
  shard: number;
  /** Proof that this tree continues the last one (RFC 9162 section 2.1.4), hashes in base64; null for the first. */
  consistency: { from: number; hashes: readonly string[] } | null;
}

/** Signs checkpoints and remembers the last of each shard: another signing proxy. */
export interface CheckpointAuthority {
  /**
   * @returns signature over the note's text, base64
   * @throws SignerError `signing_refused` with the word of the refusal in `details.error`, `signing_unavailable`
   */
  signCheckpoint(request: CheckpointSignatureRequest): Promise<string>;
  /** @throws SignerError `signing_unavailable` */
  checkpoints(): Promise<LastCheckpoint[]>;
}

const KID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

export function isKeyName(name: string): boolean {
  return KID.test(name);
}

/** Keys that a backend is asked for, as in the configuration. */
export const signingKeys = z
  .array(
    z.strictObject({
      kid: z.string().refine(isKeyName, '1 to 128 of A-Z a-z 0-9 . _ - are the name of a key'),
      purposes: z.array(z.enum(['audit', 'manifest', 'checkpoint'])).min(1),
      keyId: z.string().min(1).max(2_048).optional(),
      keyVersion: z.int().min(1).optional(),
    }),
  )
  .min(1)
  .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'a kid is listed twice');
