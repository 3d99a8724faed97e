import { keepsAsLongAs, retainUntil } from './retention-policy';

const STORED = new Date('2026-11-23T12:00:00.000Z');

describe('the retention policy', () => {
  it('counts whole days from the moment of storing', () => {
    expect(retainUntil({ mode: 'COMPLIANCE', days: 1 }, STORED).toISOString()).toBe(
      '2026-11-24T12:00:00.000Z',
    );
    // Seven years with two leap days.
    expect(retainUntil({ mode: 'COMPLIANCE', days: 2_557 }, STORED).toISOString()).toBe(
      '2033-11-23T12:00:00.000Z',
    );
  });

  const until = (iso: string): Date => new Date(iso);
  it.each([
    ['no lock', { mode: null, retainUntil: null }, 'GOVERNANCE', false],
    ['a lock without a date', { mode: 'GOVERNANCE', retainUntil: null }, 'GOVERNANCE', false],
    [
      'a lock of its time',
      { mode: 'GOVERNANCE', retainUntil: until('2026-12-23T12:00:00Z') },
      'GOVERNANCE',
      true,
    ],
    ['a longer one', { mode: 'GOVERNANCE', retainUntil: until('2036-12-23T12:00:00Z') }, 'GOVERNANCE', true],
    [
      'a stronger one',
      { mode: 'COMPLIANCE', retainUntil: until('2026-12-23T12:00:00Z') },
      'GOVERNANCE',
      true,
    ],
    ['a weaker one', { mode: 'GOVERNANCE', retainUntil: until('2036-12-23T12:00:00Z') }, 'COMPLIANCE', false],
    [
      'less by a clock',
      { mode: 'GOVERNANCE', retainUntil: until('2026-12-23T11:50:00Z') },
      'GOVERNANCE',
      true,
    ],
    ['less by days', { mode: 'GOVERNANCE', retainUntil: until('2026-12-21T12:00:00Z') }, 'GOVERNANCE', false],
  ] as const)('tells whether an object with %s is kept as long', (_, lock, mode, expected) => {
    expect(keepsAsLongAs(lock, { mode, days: 30 }, STORED)).toBe(expected);
  });
});
