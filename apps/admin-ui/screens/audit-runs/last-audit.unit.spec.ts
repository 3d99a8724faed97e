import { type AuditRun } from './audit-run-queries';
import { lastAudit } from './last-audit';

const NOW = Date.parse('2026-02-03T12:00:00.000Z');

function run(day: string, change: Partial<AuditRun> = {}): AuditRun {
  return {
    id: `00000000-0000-4000-8000-0000${day.replaceAll('-', '')}`,
    recordedAt: `${day}T02:00:09.000Z`,
    startedAt: `${day}T02:00:00.000Z`,
    outcome: 'clean',
    verdict: 'clean',
    seal: 'valid',
    signedAt: `${day}T02:00:08.000Z`,
    events: 10,
    findings: 0,
    report: { sha256: 'ab'.repeat(32), size: 600 },
    detail: null,
    ...change,
  };
}
const NONE = { verdict: null, signedAt: null, report: null } as const;

it('has nothing to say of last night’s sealed audit', () => {
  const last = run('2026-02-03');
  expect(lastAudit([last, run('2026-02-02')], NOW)).toEqual({ proven: last, newer: null, warnings: [] });
});

it('warns when none ever ran', () => {
  expect(lastAudit([], NOW)).toMatchObject({ proven: null, newer: null });
  expect(lastAudit([], NOW).warnings).toEqual([expect.stringContaining('No audit has been recorded')]);
});

it('warns after the second day without one, and not before', () => {
  const last = run('2026-02-01');
  const at = Date.parse(last.startedAt) + 48 * 3_600_000;
  expect(lastAudit([last], at).warnings).toEqual([]);
  expect(lastAudit([last], at + 1).warnings).toEqual([expect.stringContaining('more than two days old')]);
});

it('takes no unproven run for the last audit, and says what the newest is', () => {
  const sealed = run('2026-02-02');
  for (const [change, says] of [
    [{ outcome: 'failed', seal: 'none', events: null, findings: null }, /could not be carried out/],
    [{ outcome: 'refused', seal: 'none', events: null, findings: null }, /being restored/],
    [{ seal: 'none' }, /has no seal/],
    [{ seal: 'invalid' }, /not written by the auditor/],
  ] as const) {
    const newest = run('2026-02-03', { ...NONE, ...change });
    const { proven, newer, warnings } = lastAudit([newest, sealed], NOW);
    expect(proven).toBe(sealed);
    expect(newer).toBe(newest);
    expect(warnings).toEqual([expect.stringMatching(says)]);
  }
});

it('is not made to look recent by an old sealed audit that was put in again', () => {
  const old = run('2026-01-01', { recordedAt: '2026-02-03T11:00:00.000Z' });
  const { proven, warnings } = lastAudit([old], NOW);
  expect(proven).toBe(old);
  expect(warnings).toEqual([expect.stringContaining('more than two days old')]);
  const last = run('2026-02-03');
  expect(lastAudit([old, last], NOW)).toMatchObject({ proven: last, newer: old, warnings: [] });
});

it('warns when whoever floods the list leaves no proven one among the newest', () => {
  const forged = ['2026-02-02', '2026-02-03'].map((day) => run(day, { ...NONE, seal: 'invalid' }));
  expect(lastAudit(forged, NOW).warnings).toEqual([
    expect.stringContaining('None of the newest 2'),
    expect.stringContaining('2 rows among the newest 2 were not written by the auditor'),
  ]);
});
