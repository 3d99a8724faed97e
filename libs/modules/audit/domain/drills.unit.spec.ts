import { type AuditEvent } from '#evidence';
import { newestPassed } from './drills';

const event = (ts: string, payload: unknown, type = 'drill.completed') =>
  ({ ts, type, payload }) as unknown as AuditEvent;

describe('the last drill that passed', () => {
  it('is the newest, whatever failed after it', () => {
    expect(
      newestPassed([
        event('2026-03-01T00:00:00.000Z', { verdict: 'failed' }),
        event('2026-02-01T00:00:00.000Z', { verdict: 'passed' }),
        event('2026-01-01T00:00:00.000Z', { verdict: 'passed' }),
      ]),
    ).toBe(Date.parse('2026-02-01T00:00:00.000Z'));
  });

  it.each([
    ['none', []],
    ['only failed ones', [event('2026-03-01T00:00:00.000Z', { verdict: 'failed' })]],
    ['no verdict', [event('2026-03-01T00:00:00.000Z', null), event('2026-03-01T00:00:00.000Z', 'passed')]],
    ['another type', [event('2026-03-01T00:00:00.000Z', { verdict: 'passed' }, 'drill.written')]],
  ])('is none where there are %s', (_what, events) => {
    expect(newestPassed(events)).toBeUndefined();
  });
});
