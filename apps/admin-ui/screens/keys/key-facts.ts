import { checkpointKey, noteKeyText, rawKeyOfPem, sha256Hex } from '#evidence';
import { type components } from '#openapi/kernel';

export type RegisteredKey = components['schemas']['SpannedSigner'];
export type KeyPurpose = components['schemas']['KeyPurpose'];

export const PURPOSES: readonly KeyPurpose[] = ['audit', 'manifest', 'checkpoint'];

/** What a purpose is, in words. */
export const PURPOSE_TEXTS: Readonly<Record<KeyPurpose, string>> = {
  audit: 'every event of the chain',
  manifest: 'manifests',
  checkpoint: 'what the kernel says about its own chain',
};

/** SubjectPublicKeyInfo of an Ed25519 key before its 32 bytes (RFC 8410). */
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/**
 * Fingerprint of a public key: hex SHA-256 of its DER, as `openssl pkey -pubin -outform DER | sha256sum` has it. Null for a
 * text that is no Ed25519 key.
 */
export function fingerprintOf(pem: string): string | null {
  try {
    return sha256Hex(Uint8Array.from([...SPKI_PREFIX, ...rawKeyOfPem(pem)]));
  } catch {
    return null;
  }
}

/** The key that signs for a purpose now: of the active ones, the one that was registered last. */
export function signsNow(signers: readonly RegisteredKey[], purpose: KeyPurpose): RegisteredKey | undefined {
  return signers.findLast(({ status, purposes }) => status === 'active' && purposes.includes(purpose));
}

/** The purposes that a key signs for now. */
export function signsFor(signers: readonly RegisteredKey[], kid: string): KeyPurpose[] {
  return PURPOSES.filter((purpose) => signsNow(signers, purpose)?.signer_kid === kid);
}

/** The key of one shard's log as its readers name it (vkey of c2sp.org/signed-note); null where there is none. */
export function logKeyOf(signers: readonly RegisteredKey[], origin: string, shard: number): string | null {
  const key = signsNow(signers, 'checkpoint');
  if (key === undefined) return null;
  try {
    return noteKeyText(checkpointKey({ origin, shard }, key.public_key_pem));
  } catch {
    return null;
  }
}

/** Where a key signs, shard by shard. */
export interface SpanRow {
  readonly shard: number;
  /** First position that it may sign. */
  readonly from: number;
  /** Last one; null while it has not ended. */
  readonly until: number | null;
  /** From here on in doubt; null where nothing is. */
  readonly doubtFrom: number | null;
}

export function spanRows(span: RegisteredKey['span']): SpanRow[] {
  if (span === undefined) return [];
  const { after, until, since } = span;
  return after.map(({ shard, seq }) => {
    const end = until?.find((place) => place.shard === shard)?.seq ?? null;
    // A shard that `since` does not list is in doubt in all of it (docs/spec/signers.md, section 1).
    const doubt = since === null ? null : (since.find((place) => place.shard === shard)?.seq ?? seq + 1);
    return { shard, from: seq + 1, until: end, doubtFrom: doubt };
  });
}

/** `from 1 on`, `from 1 to 41`, `nothing`. */
export function spanText({ from, until }: SpanRow): string {
  if (until === null) return `from ${from} on`;
  return until < from ? 'nothing' : `from ${from} to ${until}`;
}
