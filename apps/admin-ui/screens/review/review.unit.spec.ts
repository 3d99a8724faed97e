import { reviewLines, fileName } from './review-lines';
import { type Act, MOST_UPGRADES, readReport, type Report, type Review, type Reviewed } from './report';
import { asked, presets, readReviewSearch, whyNoPeriod } from './review-search';
import { actWords, durationText, separationWords } from './review-words';

const ACT: Act = {
  eventId: '0198c0de-7a3b-7c4d-8e5f-0123456789ab',
  position: '0:15',
  at: '2026-01-31T11:00:00.000Z',
  type: 'upgrade.approval_given',
  by: 'idp#ada',
  claimedBy: null,
  approverId: 'ada',
  keyId: 'ada-1',
  text: '=HYPERLINK("https://evil.example")',
  inPeriod: true,
};
const UPGRADE: Reviewed = {
  upgradeId: 'fix-1',
  type: 'code',
  rationale: '+SUM(A1)',
  change: 'billing, "new"',
  manifestSha256: 'ab'.repeat(32),
  patchSha256: null,
  status: 'applied',
  reason: null,
  proposedBy: '@operator',
  submittedBy: '-1',
  proposedAt: '2026-01-31T10:00:00.000Z',
  application: {
    at: '2026-01-31T12:00:00.000Z',
    by: 'operator',
    claimedBy: null,
    emergency: false,
    approvers: ['ada', 'bob'],
    required: 2,
    secondsFromProposal: 7_200,
  },
  emergency: null,
  separation: { decidedOwn: [], appliedByProposer: true, appliedByApprovers: [] },
  acts: [ACT, { ...ACT, text: null, approverId: 'bob', keyId: 'bob-1', position: '0:16' }],
};
const COUNTS: Review['counts'] = {
  upgrades: 1,
  proposed: 1,
  applied: 1,
  emergencies: 0,
  ratified: 0,
  ratificationsRejected: 0,
  unratified: 0,
  rejected: 0,
  withdrawn: 0,
  expired: 0,
  completed: 0,
  failed: 0,
  rolledBack: 0,
  refusedSignatures: 2,
  decidedOwn: 0,
  appliedByProposer: 1,
  appliedByApprovers: 0,
};
const REVIEW: Review = {
  origin: 'kernel.example.com/prod',
  period: { from: '2026-01-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' },
  through: { position: '0:17', hash: 'cd'.repeat(32), at: '2026-03-31T10:00:00.000Z' },
  closed: true,
  counts: COUNTS,
  upgrades: [UPGRADE],
  nextCursor: null,
};
const REPORT: Report = { ...REVIEW, isCut: false, madeAt: '2026-04-02T00:00:00.000Z' };

describe('the period of a report', () => {
  it('is two days of UTC in the address, both in it', () => {
    const search = readReviewSearch({
      from: '2026-01-01',
      to: '2026-03-31',
      person: ' ada ',
      status: 'applied',
    });
    expect(search).toEqual({ from: '2026-01-01', to: '2026-03-31', person: 'ada', status: 'applied' });
    expect(asked(search)).toEqual({
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-04-01T00:00:00.000Z',
      person: 'ada',
      status: 'applied',
    });
  });

  it('is none where the address has no such days', () => {
    for (const search of [
      {},
      { from: '2026-01-01' },
      { from: '2026-02-30', to: '2026-03-01' },
      { from: 'x', to: 'y' },
    ]) {
      expect(asked(readReviewSearch(search))).toBeNull();
    }
    expect(asked({ from: '2026-02-02', to: '2026-02-01' })).toBeNull();
    expect(readReviewSearch({ status: 'nonsense', through: '1:5', other: 'x' })).toEqual({});
    expect(readReviewSearch({ through: '0:5' })).toEqual({ through: '0:5' });
    expect(whyNoPeriod('', '2026-01-01')).toContain('Choose');
    expect(whyNoPeriod('2026-01-02', '2026-01-01')).toContain('behind');
    expect(whyNoPeriod('2026-01-01', '2026-01-01')).toBeNull();
  });

  it('may be the last month, quarter or year, over their ends too', () => {
    const of = (time: string) =>
      Object.fromEntries(presets(Date.parse(time)).map(({ label, from, to }) => [label, `${from} ${to}`]));
    expect(of('2026-01-15T00:00:00Z')).toEqual({
      'Last month': '2025-12-01 2025-12-31',
      'Last quarter': '2025-10-01 2025-12-31',
      'Last year': '2025-01-01 2025-12-31',
      'This quarter': '2026-01-01 2026-03-31',
    });
    expect(of('2028-03-31T23:59:59Z')).toMatchObject({
      'Last month': '2028-02-01 2028-02-29',
      'Last quarter': '2027-10-01 2027-12-31',
      'This quarter': '2028-01-01 2028-03-31',
    });
    expect(of('2026-12-31T00:00:00Z')['Last quarter']).toBe('2026-07-01 2026-09-30');
  });
});

describe('a report', () => {
  it('is read page after page up to one position, and its counts are added', async () => {
    const questions: object[] = [];
    const report = await readReport(
      async (more) => {
        questions.push(more);
        return { ...REVIEW, nextCursor: questions.length < 3 ? `c${questions.length}` : null };
      },
      undefined,
      () => Date.parse(REPORT.madeAt),
    );
    expect(questions).toEqual([{}, { through: '0:17', cursor: 'c1' }, { through: '0:17', cursor: 'c2' }]);
    expect(report).toMatchObject({ isCut: false, madeAt: REPORT.madeAt, closed: true });
    expect(report.upgrades).toHaveLength(3);
    expect(report.counts).toMatchObject({ upgrades: 3, refusedSignatures: 6, failed: 0 });
  });

  it('says when it is cut, and asks for no more then', async () => {
    let pages = 0;
    const upgrades = Array.from({ length: 100 }, () => UPGRADE);
    const report = await readReport(async () => {
      pages += 1;
      return { ...REVIEW, upgrades, nextCursor: 'more' };
    }, '0:17');
    expect([report.isCut, report.upgrades.length, pages]).toEqual([true, MOST_UPGRADES, MOST_UPGRADES / 100]);
    expect(fileName(report)).toBe(`review-2026-01-01-2026-03-31-first-${MOST_UPGRADES}.csv`);
  });

  it('is CSV in which a spreadsheet runs nothing, and every line says of which report it is', () => {
    const [head = '', line = '', rest] = reviewLines(REPORT).split('\r\n');
    expect(rest).toBe('');
    const names = head.split(',');
    expect(names.slice(0, 4)).toEqual(['upgrade', 'type', 'change', 'rationale']);
    expect(line).toContain(`fix-1,code,"billing, ""new""",'+SUM(A1),`);
    expect(line).toContain(`,'@operator,'-1,`);
    // A formula within a cell begins none.
    expect(line).toContain(`"ada [ada-1] 2026-01-31T11:00:00.000Z: =HYPERLINK(`);
    expect(line).toContain(` | bob [bob-1] 2026-01-31T11:00:00.000Z"`);
    expect(line).toContain(
      `kernel.example.com/prod,2026-01-01T00:00:00.000Z,2026-04-01T00:00:00.000Z,0:17,${'cd'.repeat(32)},yes,yes`,
    );
    expect(fileName(REPORT)).toBe('review-2026-01-01-2026-03-31.csv');
  });

  it('tells in words who did what', () => {
    expect(actWords(ACT)).toBe('ada, with the key ada-1, approved (calling as idp#ada)');
    const applied = { ...ACT, type: 'upgrade.applied', approverId: null, keyId: null };
    expect(actWords({ ...applied, claimedBy: 'night shift' })).toBe(
      'idp#ada applied it (for night shift, it says)',
    );
    expect(actWords({ ...applied, type: 'upgrade.new_thing' })).toBe('idp#ada upgrade.new_thing');
    expect(separationWords(UPGRADE)).toEqual(['Who proposed it also applied it.']);
    const separation = { decidedOwn: ['ada'], appliedByProposer: false, appliedByApprovers: ['bob'] };
    expect(separationWords({ ...UPGRADE, separation })).toEqual([
      'Signed about what they had proposed or applied themselves: ada.',
      'Counted for it and applied it: bob.',
    ]);
  });

  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [3_600, '1 h'],
    [7_265, '2 h 1 min'],
    [200_000, '2 d 7 h'],
  ])('tells %d seconds as %s', (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });
});
