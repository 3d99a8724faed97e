import { printable } from '#evidence';
import { type AuditResult } from './auditor';

/** What an audit on demand prints: a line for each finding, one for each shard, and the verdict. */
export function auditSummary({ audit, written }: AuditResult): string[] {
  const { findings, events, objects, shards, id } = audit;
  const seconds = (Date.parse(audit.finishedAt) - Date.parse(audit.startedAt)) / 1_000;
  const place = written === null ? 'the report could not be written or sealed' : `report ${written.report}`;
  const unlisted = findings.count - findings.listed.length;
  return [
    ...findings.listed.map(({ kind, shard, seq, subject, message }) => {
      const where = shard === null || seq === null ? (subject ?? 'unknown') : `${shard}:${seq}`;
      return printable(`${kind}: ${where}: ${message}`);
    }),
    ...(unlisted > 0 ? [`... and ${unlisted} more`] : []),
    ...shards.map(
      ({ shard, head, indexed, archived, manifests }) =>
        `shard ${shard}: head ${head.seq} ${head.hash}, index ${indexed}, archive ${archived}, ${manifests} day manifests`,
    ),
    `Audit ${id}: ${findings.count === 0 ? 'clean' : `${findings.count} findings`}, ${events} events, ${objects} objects, ${seconds} s, ${place}.`,
  ];
}
