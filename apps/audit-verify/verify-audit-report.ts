import { AUDIT_REPORT, printable, sha256Hex, verifyDocument } from '#evidence';
import { TRUST_OPTIONS, trustOptions } from './arguments';
import { readInput } from './read-input';
import { hasOption, readOptions } from './read-options';
import { readTrustRoot, signersIn } from './trust-root';
import { UsageError } from './usage.error';

/** What is printed, and whether the seal proves the report. */
export interface AuditReportVerdict {
  verified: boolean;
  lines: string[];
}

/** Whether the command line asks for the report of an audit instead of a chain. */
export function asksForAuditReport(argv: readonly string[]): boolean {
  return hasOption(argv, ['--audit-report', '--seal']);
}

/**
 * `--audit-report FILE --seal FILE --signers FILE [--origin ORIGIN] [--json]`: whether the auditor of this kernel wrote the
 * report, with nothing but the trust root (docs/spec/archive.md, section 4). What it says of the chain is not checked.
 * @throws UsageError
 */
export function verifyAuditReport(argv: readonly string[]): AuditReportVerdict {
  const values = readOptions(argv, {
    ...TRUST_OPTIONS,
    'audit-report': { type: 'string' },
    seal: { type: 'string' },
    json: { type: 'boolean' },
  });
  const { 'audit-report': path, seal: sealPath } = values;
  if (path === undefined) throw new UsageError('--seal goes with --audit-report, which is missing.');
  if (sealPath === undefined) throw new UsageError('--audit-report goes with --seal, which is missing.');
  if (values.signers === undefined) {
    throw new UsageError('--signers is missing: name the signers.json to trust.');
  }
  const { origin } = readTrustRoot(trustOptions(values));
  const report = readInput('--audit-report', path);
  const { document, reasons } = verifyDocument(AUDIT_REPORT, {
    envelope: readInput('--seal', sealPath),
    keys: signersIn(values.signers),
    origin,
  });
  const sha256 = sha256Hex(report);
  const faults = reasons.map((reason) => `seal: ${reason}`);
  if (document !== null && (document.report.sha256 !== sha256 || document.report.size !== report.length)) {
    faults.push(
      `report: it has ${report.length} bytes with the SHA-256 ${sha256}, the seal is over ${document.report.size} with ${document.report.sha256}`,
    );
  }
  const verified = faults.length === 0;
  if (values.json === true) {
    return { verified, lines: [JSON.stringify({ verified, origin, seal: document, faults })] };
  }
  if (!verified || document === null) return { verified, lines: faults.map(printable) };
  const { id, startedAt, verdict, events, findings, signedAt } = document;
  const line =
    `Audit report verified: ${id}, begun ${startedAt}, sealed ${signedAt}: ${verdict}, ${events} events, ` +
    `${findings} findings, SHA-256 ${sha256}.`;
  return { verified, lines: [line] };
}
