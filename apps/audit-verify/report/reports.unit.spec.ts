import { csvReport } from './csv-report';
import { type ChainReport } from './chain-report';
import { htmlReport, verdictText } from './html-report';

const HASH = 'ab'.repeat(32);
const ID = '019c1320-0000-7000-8000-000000000001';
const EVIL = `=1+1"<script>alert('x')</script>&\u001b[2J`;

const report: ChainReport = {
  verified: false,
  origin: 'kernel.example.com/test',
  signatures: true,
  events: 22,
  faults: [{ code: 'format', shard: 0, seq: 7, id: ID, message: EVIL }],
  faultCount: 2,
  reattested: [{ kid: 'k1', shard: 0, from: 6, to: 9, count: 4, by: { shard: 0, seq: 10, signerKid: 'k2' } }],
  logged: [{ kid: 'k1', shard: 1, from: 3, to: 4, count: 2, size: 4, by: 'c1' }],
  heads: [{ shard: 0, seq: 22, hash: HASH, ts: '2026-01-31T10:00:22.000Z', id: ID }],
  from: 1,
  checkpoints: [
    {
      path: 'checkpoint',
      log: 'kernel.example.com/test/log/0',
      shard: 0,
      size: 20,
      root: HASH,
      kid: 'c1',
      cosigned: [EVIL],
    },
  ],
  keys: [
    {
      kid: 'k1',
      purposes: ['audit'],
      status: 'compromised',
      sha256: HASH,
      span: {
        after: [{ shard: 0, seq: 0 }],
        until: [{ shard: 0, seq: 9 }],
        since: [{ shard: 0, seq: 6 }],
      },
    },
    { kid: EVIL, purposes: ['manifest'], status: 'active', sha256: HASH, span: null },
  ],
  notChecked: ['other shards than 0 (--shard)'],
  unanchored: [{ shard: 0, from: 21, to: 22 }],
};
const facts = { report, madeAt: '2026-02-01T00:00:00.000Z', source: EVIL };

describe('a report as a page', () => {
  const page = htmlReport(facts);

  it('loads nothing, runs nothing, and takes nothing of the evidence for markup', () => {
    expect(page).not.toMatch(/<script|<img|<link|src=|href=|url\(/i);
    expect(page.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(page).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;');
    expect(page).toContain(`default-src 'none'`);
  });

  it('says what was found, by which keys, and what was not checked', () => {
    for (const said of [
      'Not verified: 2 faults.',
      '2 in all; the first 1 are listed.',
      'from 0:1 to 0:9, in doubt from 0:6 on',
      'not known where',
      'not checked: other shards than 0 (--shard)',
      'vouches for 0:21 to 0:22',
      '0:6 to 0:9',
      'size 4',
    ]) {
      expect(page).toContain(said);
    }
  });

  it('claims no more than the lines do', () => {
    const good: ChainReport = { ...report, verified: true, faults: [], faultCount: 0 };
    expect(verdictText(good)).toBe('Audit chain verified; its end is not anchored.');
    expect(verdictText({ ...good, unanchored: [] })).toBe('Audit chain verified.');
    expect(verdictText({ ...good, unanchored: [], signatures: false })).toBe(
      'Audit chain verified without signatures.',
    );
    expect(htmlReport({ ...facts, report: { ...good, unanchored: [], notChecked: [] } })).toContain(
      'Nothing was left out.',
    );
  });
});

describe('a report as a table', () => {
  const table = csvReport(facts);
  const lines = table.split('\r\n');

  it('has a record on each line, and nothing in it that a spreadsheet would run', () => {
    expect(lines[0]).toBe('record,shard,from,to,subject,detail,text');
    const fault = lines.find((line) => line.startsWith('fault,'));
    expect(fault).toMatch(/^fault,0,7,7,019c1320-0000-7000-8000-000000000001,format,"'=1\+1""<script>/);
    expect(table.replaceAll('\r\n', '')).not.toMatch(/\p{Cc}/u);
    expect(table).not.toMatch(/(^|,)"?[=+@-]/m);
  });

  it('has every kind of record', () => {
    const kinds = new Set(lines.slice(1, -1).map((line) => line.slice(0, line.indexOf(','))));
    expect([...kinds].sort()).toEqual(
      [
        ...['checkpoint', 'events', 'fault', 'faults', 'head', 'in the log in time', 'key', 'made'],
        ...['not anchored', 'not checked', 're-attested', 'verdict'],
      ].sort(),
    );
  });
});
