import { problemsOf } from './backup-status';
import { markProblem } from './restore-backup';

const NOW = new Date('2026-11-30T12:00:00Z');
const LIMITS = { maxBaseHours: 26, maxRpoSeconds: 300 };
const BASE = {
  id: '20261130T020000',
  status: 'DONE',
  beginTime: new Date('2026-11-30T02:00:00Z'),
  endTime: new Date('2026-11-30T02:10:00Z'),
  beginWal: '000000010000000000000005',
  endWal: '000000010000000000000006',
};
const ARCHIVER = {
  mode: 'on',
  lastArchived: '000000010000000000000009',
  lastArchivedAt: new Date('2026-11-30T11:59:30Z'),
  lastFailed: null,
  lastFailedAt: null,
  failures: 0,
  isFailing: false,
  waiting: null,
  stalledSeconds: 0,
  rpoSeconds: 30,
};
const FINE = {
  base: BASE,
  newestWal: { name: '000000010000000000000009', storedAt: new Date('2026-11-30T11:59:30Z') },
  missing: [],
  archiver: ARCHIVER,
  rpoSeconds: 30,
};

describe('problems of backups', () => {
  it('are none while there is a young base backup and the log is archived', () => {
    expect(problemsOf(FINE, LIMITS, NOW)).toEqual([]);
  });

  it.each([
    ['no base backup', { base: null }, /^There is no base backup that is whole/],
    [
      'an old one',
      { base: { ...BASE, endTime: new Date('2026-11-29T09:00:00Z') } },
      /more than 26 hours ago/,
    ],
    ['no log', { newestWal: null }, /^No log file is archived/],
    [
      'a gap',
      { missing: ['000000010000000000000007'] },
      /^1 log files .* the first of them 000000010000000000000007/,
    ],
    ['archiving that is off', { archiver: { ...ARCHIVER, mode: 'off' } }, /archive_mode is off/],
    [
      'archiving that fails',
      {
        archiver: {
          ...ARCHIVER,
          isFailing: true,
          stalledSeconds: 5,
          lastFailed: '00000001000000000000000A',
          lastFailedAt: NOW,
        },
      },
      /00000001000000000000000A failed at 2026-11-30T12:00:00.000Z/,
    ],
    [
      'archiving that does not begin',
      { archiver: { ...ARCHIVER, stalledSeconds: 61, waiting: '00000001000000000000000A' } },
      /00000001000000000000000A has waited for 61 s/,
    ],
    ['too much that is not archived', { rpoSeconds: 301 }, /^What was written in the last 301 s/],
  ])('say %s', (_, over, text) => {
    expect(problemsOf({ ...FINE, ...over }, LIMITS, NOW)).toEqual([expect.stringMatching(text)]);
  });
});

describe('the marks against a restored store', () => {
  const marks = [{ shard: 0, seq: 57, signed: 58 }];

  it.each([57, 58])('agree with an end at %d', (seq) => {
    expect(markProblem({ shard: 0, seq }, marks)).toEqual([]);
  });

  it.each([
    [56, /ends at 56, but signed events build on 57/],
    [59, /signed nothing after 58/],
  ])('do not agree with an end at %d', (seq, text) => {
    expect(markProblem({ shard: 0, seq }, marks)).toEqual([expect.stringMatching(text)]);
  });

  it('have to know a shard that has events', () => {
    expect(markProblem({ shard: 1, seq: 3 }, marks)).toEqual([expect.stringMatching(/its marks are lost/)]);
    expect(markProblem({ shard: 1, seq: 0 }, marks)).toEqual([]);
  });
});
