import { DEFAULT_SCHEDULE, waitAfter } from './retry-schedule';

const HOUR = 3_600_000;

describe('the wait after a failed delivery', () => {
  it('grows up to six hours and ends', () => {
    const waits = Array.from({ length: 12 }, (_, n) => waitAfter(n + 1, DEFAULT_SCHEDULE, null, () => 1));
    expect(waits.slice(0, 4)).toEqual([5_000, 20_000, 80_000, 320_000]);
    expect(waits.slice(7)).toEqual([6 * HOUR, 6 * HOUR, 6 * HOUR, 6 * HOUR, null]);
  });

  it('lies at random between half and all of it', () => {
    expect(waitAfter(1, DEFAULT_SCHEDULE, null, () => 0)).toBe(2_500);
    const waits = new Set(Array.from({ length: 50 }, () => waitAfter(3, DEFAULT_SCHEDULE, null)));
    expect(waits.size).toBeGreaterThan(10);
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(40_000);
      expect(wait).toBeLessThanOrEqual(80_000);
    }
  });

  it('is at least what the receiver asks for, within reason', () => {
    expect(waitAfter(1, DEFAULT_SCHEDULE, 60_000, () => 0)).toBe(60_000);
    expect(waitAfter(1, DEFAULT_SCHEDULE, 1_000, () => 0)).toBe(2_500);
    expect(waitAfter(1, DEFAULT_SCHEDULE, 400 * HOUR, () => 0)).toBe(6 * HOUR);
    expect(waitAfter(12, DEFAULT_SCHEDULE, 60_000, () => 0)).toBeNull();
  });
});
