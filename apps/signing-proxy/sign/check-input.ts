import {
  ARCHIVE_DAY,
  AUDIT_REPORT,
  EvidenceError,
  parseAuditSigningInput,
  parseDocumentSigningInput,
  parseManifestSigningInput,
  parseSignerPossessionInput,
} from '#evidence';
import { type BatchPurpose } from '#platform/signer';

/** Result of reading an input: its origin and, where it has one, its place in the chain, for the log. */
export interface CheckedInput {
  origin: string;
  position?: string;
  /** The shard that it speaks of. */
  shard?: number;
  /** Places of the audit events that it is over. */
  events?: { shard: number; first: number; last: number };
  /** The key that it is about, which is the only one that may sign it. */
  about?: { kid: string; publicKeySha256: string };
}

/**
 * One strict reader for each purpose. It is what keeps the proxy from being a signing oracle: bytes are signed only
 * when they are exactly what this purpose makes, so a signature can never be taken for one over something else.
 * @throws EvidenceError when the bytes are anything else
 */
export const READ_AS: Record<BatchPurpose, (input: Uint8Array) => CheckedInput> = {
  'audit-event': (input) => {
    const { origin, shard, first, count } = parseAuditSigningInput(input);
    const last = first + count - 1;
    const position = count === 1 ? `${shard}:${first}` : `${shard}:${first}-${last}`;
    return { origin, position, shard, events: { shard, first, last } };
  },
  manifest: (input) => ({ origin: parseManifestSigningInput(input).origin }),
  'archive-day': (input) => {
    const { origin, shard, last } = parseDocumentSigningInput(ARCHIVE_DAY, input);
    return { origin, position: `${shard}:${last.seq}`, shard };
  },
  'signer-possession': (input) => {
    const { origin, kid, publicKeySha256 } = parseSignerPossessionInput(input);
    return { origin, about: { kid, publicKeySha256 } };
  },
  'audit-report': (input) => ({ origin: parseDocumentSigningInput(AUDIT_REPORT, input).origin }),
};

/** Reason in words for the caller; anything but an EvidenceError is a fault of ours and not the input's. */
export function whyNot(error: unknown): string {
  if (!(error instanceof EvidenceError)) throw error;
  return error.pointer === undefined ? error.message : `${error.message} (at "${error.pointer}")`;
}
