import {
  type LogPlace,
  type LogPolicy,
  printable,
  type RecordedManifestVerdict,
  type ReceiptVerdict,
  type TrustRoot,
  verifyReceipt,
  verifyRecordedManifest,
} from '#evidence';

/** One event with its receipt, one manifest with its envelope, or both. */
export interface SingleEvidence {
  record: { receipt: string; event: Uint8Array } | null;
  signature: { manifest: Uint8Array; envelope: Uint8Array } | null;
  /** Whose cosignatures the log needs, in place of what the trust root says. */
  policy?: LogPolicy;
}

/** What is printed, and the same for programs. */
export interface Judged {
  verified: boolean;
  lines: string[];
  json: object;
}

/** The verdict on one event or one signature. */
export function judgeSingle({ record, signature, ...given }: SingleEvidence, trust: TrustRoot): Judged {
  const { verdict, sentence } = judge(signature, record, { trust, ...given });
  const verified = verdict.faults.length === 0;
  const json = { verified, origin: trust.origin, ...verdict };
  if (!verified) return { verified, lines: verdict.faults.map(printable), json };
  const lines = [
    ...verdict.checked.map((what) => `checked: ${what}`),
    ...verdict.notChecked.map((what) => `not checked: ${what}`),
    sentence,
  ];
  return { verified, lines: lines.map(printable), json };
}

function judge(
  signature: SingleEvidence['signature'],
  record: SingleEvidence['record'],
  given: { trust: TrustRoot; policy?: LogPolicy },
): { verdict: ReceiptVerdict | RecordedManifestVerdict; sentence: string } {
  if (signature !== null) return ofManifest(verifyRecordedManifest({ ...signature, record, ...given }));
  if (record === null) throw new Error('there is nothing to judge');
  return ofEvent(verifyReceipt({ ...record, ...given }));
}

function ofEvent(verdict: ReceiptVerdict): { verdict: ReceiptVerdict; sentence: string } {
  const { event, log } = verdict;
  const sentence =
    event === null || log === null
      ? ''
      : `Event verified: ${event.id}, ${event.type}, position ${event.shard}:${event.seq}, hash ${event.hash}; ${placeText(log)}.`;
  return { verdict, sentence };
}

function ofManifest(verdict: RecordedManifestVerdict): {
  verdict: RecordedManifestVerdict;
  sentence: string;
} {
  const { statement, recordedAt, log } = verdict;
  if (statement === null) return { verdict, sentence: '' };
  const { manifestId, version, sha256 } = statement;
  const where =
    recordedAt === null || log === null
      ? 'not shown to be recorded'
      : `recorded at ${recordedAt.shard}:${recordedAt.seq} by event ${recordedAt.id}; ${placeText(log)}`;
  const sentence = `Manifest signature verified: ${manifestId}, version ${version}, SHA-256 ${sha256}; ${where}.`;
  return { verdict, sentence };
}

function placeText({ name, size, cosigned }: LogPlace): string {
  const by = cosigned.map((witness) => witness.name).join(', ');
  return `in the log ${name} at size ${size}, ${by === '' ? 'without cosignatures' : `cosigned by ${by}`}`;
}
