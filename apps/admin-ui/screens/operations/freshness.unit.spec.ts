import { isFresh } from './freshness';

describe('a fresh sign-in', () => {
  const at = '2026-11-30T10:00:00.000Z';
  const after = (seconds: number) => Date.parse(at) + seconds * 1_000;

  it.each([
    [299, true],
    [300, false],
    [3_600, false],
  ])('%i s later: %s', (seconds, expected) => {
    expect(isFresh(at, after(seconds))).toBe(expected);
  });

  it('is none where nobody knows when it was', () => {
    expect(isFresh(null, after(0))).toBe(false);
  });
});
