import { printable, type KeySpan } from '#evidence';
import { type ChainReport, unanchoredSentence } from './chain-report';

/** What a report says beside the verdict. */
export interface ReportFacts {
  report: ChainReport;
  /** RFC 3339 UTC: when it was made, by the clock of the machine that made it. */
  madeAt: string;
  /** Where the events were read, in words without credentials. */
  source: string;
}

/** The look of a report, on a screen and on paper. */
export const REPORT_STYLE = `
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h1 code { font-size: inherit; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { border-left: .5rem solid; padding: .75rem 1rem; margin: 1rem 0; font-weight: 600; }
.good { border-color: #19703a; background: #eef7f0; } .bad { border-color: #b3261e; background: #fcefee; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #555; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #d0d0d0; padding: .3rem .6rem .3rem 0; }
th { font-weight: 600; } td { overflow-wrap: anywhere; } code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
ul { margin: .25rem 0; padding-left: 1.25rem; } .note { color: #555; }
@media print {
  body { margin: 0; max-width: none; font-size: 10pt; } code { font-size: 8.5pt; }
  thead { display: table-header-group; } tr, .verdict { break-inside: avoid; } h2 { break-after: avoid; }
  .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@page { size: A4; margin: 18mm 15mm; }`;

/** A page that stands for itself: no script, nothing that is loaded, every text of the evidence escaped. */
export function htmlReport(facts: ReportFacts): string {
  const { origin, verified } = facts.report;
  const title = `Audit chain of ${origin}: ${verified ? 'verified' : 'not verified'}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${REPORT_STYLE}
</style>
</head>
<body>
${reportBody(facts)}
</body>
</html>
`;
}

/** The content of that page, as HTML. */
export function reportBody({ report, madeAt, source }: ReportFacts): string {
  const { verified, origin, events, faults, faultCount, heads, signatures, from } = report;
  const open = unanchoredSentence(report.unanchored);
  const limits = [...report.notChecked.map((one) => `not checked: ${one}`), ...(open === null ? [] : [open])];
  const body = [
    `<h1>Audit chain of ${code(origin)}</h1>`,
    `<p class="note">Made at ${text(madeAt)} by audit-verify, from ${text(source)}.</p>`,
    `<p class="verdict ${verified ? 'good' : 'bad'}">${text(verdictText(report))}</p>`,
    table(
      ['What was checked', 'how far'],
      [
        ['events', text(String(events))],
        ['from position', text(String(from))],
        ['signatures and keys', signatures ? 'checked' : 'not checked'],
        ...manifestRow(report),
      ],
    ),
    section(
      'Faults',
      faultCount > faults.length ? `${faultCount} in all; the first ${faults.length} are listed.` : '',
      ['code', 'position', 'event', 'what is wrong'],
      faults.map(({ code: kind, shard, seq, id, message }) => [
        text(kind),
        text(shard === null || seq === null ? 'unknown' : `${shard}:${seq}`),
        id === null ? 'unknown' : code(id),
        text(message),
      ]),
    ),
    section(
      'Heads',
      'The last event of each shard that was read.',
      ['shard', 'position', 'time', 'hash', 'event'],
      heads.map(({ shard, seq, ts, hash, id }) => [
        text(String(shard)),
        text(`${shard}:${seq}`),
        text(ts),
        code(hash),
        code(id),
      ]),
    ),
    section(
      'Checkpoints',
      'Published checkpoints of the log with whose roots the events agree.',
      ['log', 'size', 'root', 'signed by', 'cosigned by'],
      report.checkpoints.map(({ log, size, root, kid, cosigned }) => [
        code(log),
        text(String(size)),
        code(root),
        code(kid),
        cosigned.length === 0 ? 'nobody was asked' : text(cosigned.join(', ')),
      ]),
    ),
    `<h2>What this verdict does not say</h2>`,
    limits.length === 0 ? '<p>Nothing was left out.</p>' : list(limits),
    section(
      'Keys',
      'With which the events were judged: by signers.json, and by the chain where that says more.',
      ['key', 'purposes', 'status', 'signs', 'SHA-256 of the public key'],
      report.keys.map(({ kid, purposes, status, span, sha256 }) => [
        code(kid),
        text(purposes.join(', ')),
        text(status),
        spanText(span),
        code(sha256),
      ]),
    ),
    section(
      'Events that hold by a later statement',
      'Signed by a key that others may have had, and confirmed by the kernel with another.',
      ['key', 'positions', 'events', 'confirmed at', 'by'],
      report.reattested.map(({ kid, shard, from: first, to, count, by }) => [
        code(kid),
        text(`${shard}:${first} to ${shard}:${to}`),
        text(String(count)),
        text(`${by.shard}:${by.seq}`),
        code(by.signerKid),
      ]),
    ),
    section(
      'Events that hold by the log',
      'Signed by a key that others may have had, and in the log before its compromise was declared.',
      ['key', 'positions', 'events', 'checkpoint', 'by'],
      report.logged.map(({ kid, shard, from: first, to, count, size, by }) => [
        code(kid),
        text(`${shard}:${first} to ${shard}:${to}`),
        text(String(count)),
        text(`size ${size}`),
        code(by),
      ]),
    ),
  ];
  return body.filter((part) => part !== '').join('\n');
}

/** The verdict in one sentence, which claims no more than the lines on standard output do. */
export function verdictText({ verified, signatures, faultCount, unanchored }: ChainReport): string {
  if (!verified) return `Not verified: ${faultCount === 1 ? '1 fault' : `${faultCount} faults`}.`;
  const what = signatures ? 'Audit chain verified' : 'Audit chain verified without signatures';
  return unanchored.length === 0 ? `${what}.` : `${what}; its end is not anchored.`;
}

function manifestRow({ manifests }: ChainReport): string[][] {
  if (manifests === undefined) return [];
  const signed = manifests.signatures ? 'with their signatures' : 'without their signatures';
  return [['day manifests', text(`${manifests.count}, ${signed}`)]];
}

function spanText(span: KeySpan | null): string {
  if (span === null) return 'not known where';
  const each = span.after.map(({ shard, seq }) => {
    const end = span.until?.find((one) => one.shard === shard)?.seq;
    const doubt = span.since?.find((one) => one.shard === shard)?.seq;
    if (end !== undefined && end <= seq) return `nothing in shard ${shard}`;
    const to = end === undefined ? 'on' : `to ${shard}:${end}`;
    return `from ${shard}:${seq + 1} ${to}${doubt === undefined ? '' : `, in doubt from ${shard}:${doubt} on`}`;
  });
  return each.map(text).join('<br>');
}

/** A heading with a table; nothing when that has no rows. */
function section(title: string, caption: string, head: string[], rows: string[][]): string {
  return rows.length === 0 ? '' : `<h2>${text(title)}</h2>\n${table(head, rows, caption)}`;
}

function table(head: string[], rows: string[][], caption = ''): string {
  const heading = `<thead><tr>${head.map((cell) => `<th scope="col">${text(cell)}</th>`).join('')}</tr></thead>`;
  const lines = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  const title = caption === '' ? '' : `<caption>${text(caption)}</caption>\n`;
  return `<table>\n${title}${heading}\n<tbody>\n${lines.join('\n')}\n</tbody>\n</table>`;
}

function list(lines: readonly string[]): string {
  return `<ul>\n${lines.map((line) => `<li>${text(line)}</li>`).join('\n')}\n</ul>`;
}

function code(value: string): string {
  return `<code>${text(value)}</code>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function text(value: string): string {
  return printable(value).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? '');
}
