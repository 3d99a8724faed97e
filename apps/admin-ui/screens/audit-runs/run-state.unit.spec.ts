import { type AuditRun } from './audit-run-queries';
import { countIn, runState } from './run-state';

const OUTCOMES = ['clean', 'findings', 'failed', 'refused'] as const;
const SEALS = ['none', 'key_ended', 'invalid'] as const;

it('calls nothing clean that no valid seal calls so', () => {
  const unproven = OUTCOMES.flatMap((outcome) =>
    SEALS.map((seal) => runState({ outcome, seal, verdict: null })),
  );
  expect(unproven).toHaveLength(12);
  for (const { word, colour } of unproven) {
    expect(word).not.toMatch(/clean/);
    expect(colour).not.toBe('teal');
  }
  // Whatever else an answer says beside it.
  expect(runState({ outcome: 'clean', seal: 'invalid', verdict: 'clean' }).colour).toBe('red');
});

it.each<[Pick<AuditRun, 'outcome' | 'seal' | 'verdict'>, string, string]>([
  [{ outcome: 'clean', seal: 'valid', verdict: 'clean' }, 'clean', 'teal'],
  [{ outcome: 'findings', seal: 'valid', verdict: 'findings' }, 'findings', 'red'],
  [{ outcome: 'failed', seal: 'none', verdict: null }, 'failed', 'orange'],
  [{ outcome: 'refused', seal: 'none', verdict: null }, 'not carried out', 'orange'],
  [{ outcome: 'clean', seal: 'none', verdict: null }, 'not sealed', 'orange'],
  [{ outcome: 'findings', seal: 'none', verdict: null }, 'unsealed findings', 'red'],
  [{ outcome: 'findings', seal: 'key_ended', verdict: null }, 'findings, old key', 'red'],
  [{ outcome: 'clean', seal: 'key_ended', verdict: null }, 'key has ended', 'orange'],
])('%j', (run, word, colour) => {
  expect(runState(run)).toEqual({ word, colour });
});

it('repeats no number of a row that somebody else wrote', () => {
  expect(countIn({ seal: 'invalid' }, 0)).toBeNull();
  expect(countIn({ seal: 'none' }, 0)).toBe(0);
  expect(countIn({ seal: 'none' }, null)).toBeNull();
});
