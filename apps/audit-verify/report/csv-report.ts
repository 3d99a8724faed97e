import { csvLine } from '#evidence';
import { type ReportFacts, verdictText } from './html-report';

const COLUMNS = ['record', 'shard', 'from', 'to', 'subject', 'detail', 'text'] as const;
type Row = Partial<Record<(typeof COLUMNS)[number], string | number>>;

/** One record a line (RFC 4180), for a spreadsheet: what `record` says it is. */
export function csvReport({ report, madeAt, source }: ReportFacts): string {
  const { origin, from, heads, checkpoints, keys, reattested, logged, faults, faultCount } = report;
  const rows: Row[] = [
    {
      record: 'verdict',
      from,
      subject: origin,
      detail: report.verified ? 'verified' : 'not verified',
      text: verdictText(report),
    },
    { record: 'made', subject: madeAt, text: source },
    { record: 'events', detail: report.events },
    ...heads.map(({ shard, seq, hash, id, ts }) => ({
      record: 'head',
      shard,
      to: seq,
      subject: id,
      detail: hash,
      text: ts,
    })),
    ...checkpoints.map(({ shard, size, root, kid, cosigned }) => ({
      record: 'checkpoint',
      shard,
      to: size,
      subject: kid,
      detail: root,
      text: cosigned.join(' '),
    })),
    ...keys.flatMap(({ kid, purposes, status, sha256, span }): Row[] => {
      const key = { record: 'key', subject: kid, detail: sha256, text: `${status}; ${purposes.join(' ')}` };
      if (span === null) return [key];
      return span.after.map(({ shard, seq }) => ({
        ...key,
        shard,
        from: seq + 1,
        ...at('to', span.until?.find((one) => one.shard === shard)?.seq),
      }));
    }),
    ...reattested.map(({ kid, shard, from: first, to, count, by }) => ({
      record: 're-attested',
      shard,
      from: first,
      to,
      subject: kid,
      detail: count,
      text: `${by.signerKid} at ${by.shard}:${by.seq}`,
    })),
    ...logged.map(({ kid, shard, from: first, to, count, size, by }) => ({
      record: 'in the log in time',
      shard,
      from: first,
      to,
      subject: kid,
      detail: count,
      text: `checkpoint of size ${size} by ${by}`,
    })),
    { record: 'faults', detail: faultCount, text: `${faults.length} listed` },
    ...faults.map(({ code, shard, seq, id, message }) => ({
      record: 'fault',
      ...at('shard', shard),
      ...at('from', seq),
      ...at('to', seq),
      subject: id ?? '',
      detail: code,
      text: message,
    })),
    ...report.notChecked.map((text) => ({ record: 'not checked', text })),
    ...report.unanchored.map(({ shard, from: first, to }) => ({
      record: 'not anchored',
      shard,
      from: first,
      to,
      text: 'no expected head, day manifest or checkpoint vouches for these positions',
    })),
  ];
  const lines = rows.map((row) => csvLine(COLUMNS.map((column) => row[column] ?? '')));
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`;
}

function at(column: 'shard' | 'from' | 'to', value: number | null | undefined): Row {
  return value === null || value === undefined ? {} : { [column]: value };
}
