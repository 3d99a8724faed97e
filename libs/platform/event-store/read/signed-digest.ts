import { type AuditEvent } from '#evidence';

export const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Type of the kernel's own record of a signature; callers cannot append it. */
const SIGNED = 'manifest.signed';

/**
 * Digest of the manifest whose signature an event records, null for any other event: only signatures that the kernel made
 * are found by it, not what a caller says of a digest.
 */
export function signedDigest({ type, payload }: Pick<AuditEvent, 'type' | 'payload'>): string | null {
  const digest = payload['sha256'];
  return type === SIGNED && typeof digest === 'string' && SHA256_HEX.test(digest) ? digest : null;
}
