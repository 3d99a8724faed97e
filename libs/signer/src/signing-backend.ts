import { z } from 'zod';
import { type SignerPurpose } from '#libs/evidence';
import { type KeyProtection } from './key-protection';

/** What may be known about a signing key: everything but the key. */
export interface KeyInfo {
  kid: string;
  /** Which key material answers under this kid; '1' where the backend has no versions of its own. */
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

/** Which key a backend is asked to hold, and what it may sign. */
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

/**
 * The port behind which private keys live. A backend signs whatever it is given with pure Ed25519 (RFC 8032):
 * what may be signed is decided in front of it, by apps/signing-proxy.
 */
export interface SigningBackend {
  readonly name: string;
  keys(): readonly KeyInfo[];
  /**
   * Raw 64-byte signatures in the order of the messages; all or none.
   * @param signal aborted when nobody waits for them any more
   * @throws SignerError `unknown_key`, `signing_unavailable`, `token_error`, `closed`
   */
  sign(kid: string, messages: readonly Uint8Array[], signal?: AbortSignal): Promise<Uint8Array[]>;
  /** Signs and verifies a fixed message with each key, so that "ok" means it would sign now. */
  health(): Promise<BackendHealth>;
  close(): Promise<void>;
}

const KID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

export function isKeyName(name: string): boolean {
  return KID.test(name);
}

/** Which keys a backend is asked for, as configuration has it. */
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
