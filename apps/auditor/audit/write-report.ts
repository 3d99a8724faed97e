import { type Archive } from '#platform/archive';
import { AUDIT_REPORT, auditReportKeys, canonicalize, type JsonValue, sha256Hex } from '#evidence';
import { type DocumentSigner } from '#platform/signer';
import { type Audit } from './run-audit';

/** Keys of the archive. */
export interface WrittenReport {
  readonly report: string;
  readonly seal: string;
}

/** The report of an audit, as it is archived (docs/spec/archive.md, section 3). */
export function reportBytes({ findings, ...audit }: Audit): Buffer {
  const value = {
    type: 'illuvrse-kernel/audit-report-body/v1',
    ...audit,
    findings: {
      count: findings.count,
      byKind: Object.fromEntries(findings.byKind),
      listed: findings.listed,
    },
  };
  // Through JSON, so that it is plain data for the canonical form.
  return Buffer.from(canonicalize(JSON.parse(JSON.stringify(value)) as JsonValue));
}

/**
 * Writes the report, then its signed seal. The report is kept even when nothing can be signed.
 * @param bytes the report, as `reportBytes` makes it
 * @returns where both are, and the seal's own bytes
 * @throws ArchiveError, or SignerError when the seal could not be signed
 */
export async function writeReport(
  audit: Audit,
  bytes: Uint8Array,
  archive: Archive,
  signer: DocumentSigner,
  now: () => Date = () => new Date(),
): Promise<{ written: WrittenReport; seal: Uint8Array }> {
  const keys = auditReportKeys(audit);
  await archive.putDocument(keys.report, bytes);
  const seal = await signer.sign('audit-report', AUDIT_REPORT, {
    origin: audit.origin,
    id: audit.id,
    startedAt: audit.startedAt,
    verdict: audit.verdict,
    events: audit.events,
    findings: audit.findings.count,
    report: { sha256: sha256Hex(bytes), size: bytes.length },
    signedAt: now().toISOString(),
  });
  await archive.putDocument(keys.seal, seal);
  return { written: keys, seal };
}
