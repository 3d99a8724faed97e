import {
  parseSignersFile,
  trustRootOf,
  type TrustRoot,
  verifyReceipt,
  verifyRecordedManifest,
} from '#evidence';

/** What was found. An answer never claims more than was checked. */
export interface Verification {
  readonly verified: boolean;
  /** Why not; each begins with a stable word and a colon. */
  readonly faults: readonly string[];
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
  /** Where the event is in the log of its shard; null unless that is shown. */
  readonly log: { readonly name: string; readonly index: number; readonly size: number } | null;
}

/** What to trust: a signers.json, obtained once and kept; not what the kernel says today. */
type Trusted = { readonly signers: string | Uint8Array };

const utf8 = (text: string | Uint8Array): Uint8Array => (typeof text === 'string' ? Buffer.from(text) : text);

/**
 * Checks one event offline: its bytes, its signature, that its key signs there, and that it is in the published log.
 * @param event canonical bytes, as the kernel gave them
 * @param receipt of the event
 * @throws EvidenceError for a signers.json that cannot be read
 */
export function verifyEvent({
  event,
  receipt,
  signers,
}: Trusted & { readonly event: string | Uint8Array; readonly receipt: string }): Verification {
  return found(verifyReceipt({ event: utf8(event), receipt, trust: trustIn(signers) }));
}

/**
 * Checks the signature of a manifest offline, and with its event and receipt where it was recorded.
 * @throws EvidenceError for a signers.json that cannot be read
 */
export function verifySignature({
  manifest,
  envelope,
  record,
  signers,
}: Trusted & {
  readonly manifest: object;
  readonly envelope: object;
  readonly record?: { readonly event: string | Uint8Array; readonly receipt: string };
}): Verification {
  return found(
    verifyRecordedManifest({
      manifest: JSON.stringify(manifest),
      envelope: JSON.stringify(envelope),
      record: record === undefined ? null : { event: utf8(record.event), receipt: record.receipt },
      trust: trustIn(signers),
    }),
  );
}

function trustIn(signers: string | Uint8Array): TrustRoot {
  const file = parseSignersFile(utf8(signers));
  if (file.origin === undefined)
    throw new TypeError('This signers.json does not say whose it is: it lacks the member origin.');
  return trustRootOf(file, file.origin);
}

function found(verdict: Omit<Verification, 'verified'>): Verification {
  const { faults, checked, notChecked, log } = verdict;
  return { verified: faults.length === 0, faults, checked, notChecked, log };
}
