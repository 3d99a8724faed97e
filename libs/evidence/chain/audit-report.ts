import { HEX_SHA256 } from './audit-event';
import { isTimestamp } from '../json/time';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';
import { type DocumentFormat, type KernelDocument } from './kernel-document';
import { isOrigin } from './origin';

/**
 * The verdict of one audit, and the digest of the full report (docs/spec/archive.md): a report has no bound that would
 * fit into the 4,096 bytes of raw signing.
 */
export interface AuditReportSeal extends KernelDocument {
  /** UUID of the audit. */
  id: string;
  startedAt: string;
  verdict: 'clean' | 'findings';
  /** Events of the chain that were verified, over all shards. */
  events: number;
  findings: number;
  /** The stored report. */
  report: { sha256: string; size: number };
}

export const AUDIT_REPORT: DocumentFormat<AuditReportSeal> = {
  payloadType: 'application/vnd.illuvrse.kernel.audit-report+json',
  type: 'illuvrse-kernel/audit-report/v1',
  name: 'the seal of an audit report',
  members: {
    origin: isOrigin,
    id: (value) => typeof value === 'string' && UUID.test(value),
    startedAt: isTimestamp,
    verdict: (value) => value === 'clean' || value === 'findings',
    events: isNumber,
    findings: isNumber,
    report: (value) => {
      const report = exactObject(value, ['sha256', 'size']);
      return (
        report !== null &&
        typeof report['sha256'] === 'string' &&
        HEX_SHA256.test(report['sha256']) &&
        isNumber(report['size'])
      );
    },
    signedAt: isTimestamp,
  },
  contradiction({ verdict, findings, startedAt, signedAt }) {
    if ((verdict === 'clean') !== (findings === 0))
      return 'the verdict is not that of the number of findings';
    return signedAt < startedAt ? 'it was signed before it began' : null;
  },
  position: () => null,
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Keys of a report and its seal: `reports/YYYY/MM/DD/<id>.json` and `...<id>.seal.json`, the date from `startedAt`. */
export function auditReportKeys({ id, startedAt }: Pick<AuditReportSeal, 'id' | 'startedAt'>): {
  report: string;
  seal: string;
} {
  const stem = `reports/${startedAt.slice(0, 10).replaceAll('-', '/')}/${id}`;
  return { report: `${stem}.json`, seal: `${stem}.seal.json` };
}

function isNumber(value: JsonValue | undefined): boolean {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}
