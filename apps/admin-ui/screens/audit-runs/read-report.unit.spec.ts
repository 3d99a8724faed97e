import { eventOf, positionOf, readReport, type ReportFinding } from './read-report';

const ID = '0198c0de-7a3b-7c4d-8e5f-0123456789ab';
const FINDING: ReportFinding = { kind: 'hash', shard: 0, seq: 5, subject: ID, message: 'another hash' };
const REPORT = {
  type: 'illuvrse-kernel/audit-report-body/v1',
  id: '0b1f5b1e-6f0a-4c3e-9a55-3c7d5f3f8a10',
  origin: 'kernel.test/prod',
  startedAt: '2026-02-03T02:00:00.000Z',
  finishedAt: '2026-02-03T02:00:07.000Z',
  verdict: 'findings',
  events: 10,
  objects: 9,
  shards: [{ shard: 0, head: { seq: 10, hash: 'ab'.repeat(32) }, indexed: 10, archived: 9, manifests: 1 }],
  findings: { count: 3, byKind: { gap: 1, hash: 2 }, listed: [FINDING] },
};

it('reads what the auditor writes', () => {
  expect(readReport(JSON.stringify(REPORT))).toEqual({
    origin: 'kernel.test/prod',
    startedAt: '2026-02-03T02:00:00.000Z',
    finishedAt: '2026-02-03T02:00:07.000Z',
    events: 10,
    objects: 9,
    shards: REPORT.shards,
    findings: {
      count: 3,
      byKind: [
        ['hash', 2],
        ['gap', 1],
      ],
      listed: [FINDING],
    },
  });
});

it.each([
  ['no JSON', 'clean'],
  ['no object', '[]'],
  ['an empty object', '{}'],
  ['null', 'null'],
  ['shards that are none', JSON.stringify({ ...REPORT, shards: [7] })],
  ['a head that is none', JSON.stringify({ ...REPORT, shards: [{ ...REPORT.shards[0], head: null }] })],
  ['a count that is a text', JSON.stringify({ ...REPORT, events: '10' })],
  [
    'a finding without a message',
    JSON.stringify({ ...REPORT, findings: { ...REPORT.findings, listed: [{ ...FINDING, message: null }] } }),
  ],
])('is not led astray by %s', (_, text) => {
  expect(readReport(text)).toBeNull();
});

it('leads to the event where the store has it', () => {
  expect(eventOf(FINDING)).toBe(ID);
  expect(positionOf(FINDING)).toBeNull();
  const head = { ...FINDING, kind: 'head', subject: null };
  expect(eventOf(head)).toBeNull();
  expect(positionOf(head)).toEqual({ shard: 0, seq: 5 });
  const manifest = { ...FINDING, kind: 'manifest', subject: 'manifests/0/2026/01/31.json' };
  expect(eventOf(manifest)).toBeNull();
  expect(positionOf(manifest)).toEqual({ shard: 0, seq: 5 });
  for (const nowhere of [
    { ...FINDING, kind: 'index_extra' },
    { ...FINDING, kind: 'gap', subject: null },
    { ...FINDING, kind: 'stream', seq: null, subject: 'invoice/1' },
  ]) {
    expect([eventOf(nowhere), positionOf(nowhere)]).toEqual([null, null]);
  }
});
