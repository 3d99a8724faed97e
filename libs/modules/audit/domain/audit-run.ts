import { AUDIT_REPORT, type AuditReportSeal, printable, type TrustedSigner, verifyDocument } from '#evidence';
import { type AuditRun } from '#openapi/kernel';

/** A row of kernel.audit_runs. Whoever has the workers' role of the database can have written it. */
export interface AuditRunRow {
  /** Place in the order in which they were recorded; the database's own. */
  readonly n: number;
  readonly id: string;
  /** By the database's clock; its own, too. */
  readonly recordedAt: string;
  readonly startedAt: string;
  readonly outcome: AuditRun['outcome'];
  readonly events: number | null;
  readonly findings: number | null;
  readonly message: string | null;
  /** Digest of the report in this row, computed by the database; hex. */
  readonly reportSha256: string | null;
  readonly reportSize: number | null;
  /** The canonical envelope (docs/spec/archive.md, section 4). */
  readonly seal: Uint8Array | null;
}

export interface Judging {
  /** Every signer that the chain registered. */
  readonly signers: readonly TrustedSigner[];
  readonly origin: string;
}

/** What a seal in a row is worth. */
interface SealVerdict {
  readonly state: AuditRun['seal'];
  /** What counts of it; null unless it is valid. */
  readonly document: AuditReportSeal | null;
  /** Why it does not count. */
  readonly why: string | null;
}

/** UTF-16 code units of texts that somebody else may have written. */
const MAX_DETAIL = 2_000;

/** What can be said of an audit: nothing in its row counts as its verdict but what a valid seal says. */
export function judgeRun(row: AuditRunRow, judging: Judging): AuditRun {
  const { id, recordedAt, startedAt, outcome, events, findings, message, reportSha256, reportSize } = row;
  const { state, document, why } = judgeSeal(row, judging);
  const detail = [why, message].filter((part) => part !== null).join(' ');
  return {
    id,
    recordedAt,
    startedAt,
    outcome,
    verdict: document?.verdict ?? null,
    seal: state,
    signedAt: document?.signedAt ?? null,
    events,
    findings,
    report: reportSha256 === null || reportSize === null ? null : { sha256: reportSha256, size: reportSize },
    detail: detail === '' ? null : printable(detail).slice(0, MAX_DETAIL),
  };
}

function judgeSeal(row: AuditRunRow, judging: Judging): SealVerdict {
  if (row.seal === null) return { state: 'none', document: null, why: null };
  const { document, reasons } = verifyDocument(AUDIT_REPORT, {
    envelope: row.seal,
    keys: judging.signers,
    origin: judging.origin,
  });
  const invalid = (why: string): SealVerdict => ({
    state: 'invalid',
    document: null,
    why: `The seal proves nothing: ${why}.`,
  });
  if (document === null) return invalid(reasons.join('; '));
  const other = whyAnotherRun(row, document);
  if (other !== null) return invalid(other);
  if (reasons.length === 0) return { state: 'valid', document, why: null };
  return isOfEndedKey(row.seal, judging)
    ? { state: 'key_ended', document: null, why: `The seal proves nothing any more: ${reasons.join('; ')}.` }
    : invalid(reasons.join('; '));
}

/** Why a seal is not that of the row in which it is: a genuine one can be put beside anything. */
function whyAnotherRun(
  row: AuditRunRow,
  { id, startedAt, verdict, events, findings, report }: AuditReportSeal,
) {
  if (id !== row.id || startedAt !== row.startedAt) return `it is that of the audit ${id} of ${startedAt}`;
  if (verdict !== row.outcome || events !== row.events || findings !== row.findings)
    return 'the row says something else than it does';
  // Where the report is too large for a row, the seal says its digest all the same.
  if (row.reportSha256 === null) return null;
  return report.sha256 === row.reportSha256 && report.size === row.reportSize
    ? null
    : `it is over a report with the SHA-256 ${report.sha256}, which the one in the row does not have`;
}

/** Whether nothing is wrong but that the key has ended since, or is in doubt: the signature itself is right. */
function isOfEndedKey(envelope: Uint8Array, { signers, origin }: Judging): boolean {
  const keys = signers.map(({ span: _, ...key }) => ({ ...key, status: 'active' as const }));
  return verifyDocument(AUDIT_REPORT, { envelope, keys, origin }).reasons.length === 0;
}

/** Bytes as the text whose UTF-8 they are; null when they are none, and so no document of this kernel. */
export function exactText(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
