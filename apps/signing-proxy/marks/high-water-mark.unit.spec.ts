import { type HighWaterMark } from '#platform/signer';
import { type BatchStart, judgeStart, unmarked } from './high-water-mark';

const NOW = Date.parse('2026-02-01T10:00:00.000Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();
const batch = (start: number, committed = start - 1): BatchStart => ({ shard: 0, start, committed });
const mark = (seq: number, window: { seq: number; until: string } | null = null): HighWaterMark => ({
  shard: 0,
  seq,
  window: window && { ...window, openedBy: 'ops', reason: 'a drill' },
});
const judged = (from: HighWaterMark, given: BatchStart): number | 'refused' => {
  const verdict = judgeStart(from, given, NOW);
  return verdict.permitted ? verdict.mark.seq : 'refused';
};

describe('judgeStart', () => {
  it.each([
    ['the first batch of a chain', unmarked(0), batch(1), 0],
    ['the next batch', mark(10), batch(21), 20],
    ['the same again, because its commit failed', mark(20), batch(21), 20],
    ['the same again by another replica, which has less behind it', mark(20), batch(21, 18), 20],
    ['a batch on top of one that is being committed', mark(20), batch(31, 20), 20],
    ['what comes after that one failed', mark(20), batch(21, 20), 20],
    ['a batch that starts at the mark', mark(20), batch(20), 'refused'],
    ['a batch below the mark', mark(20), batch(5), 'refused'],
    ['the first position again', mark(20), batch(1), 'refused'],
  ])('%s', (_name, from, given, expected) => {
    expect(judged(from, given)).toBe(expected);
  });

  describe('with a restore window', () => {
    const open = mark(100, { seq: 57, until: at(60) });

    it.each([
      ['lets the restored database go on after its head', open, batch(58), 57],
      ['and no other one', open, batch(57), 'refused'],
      ['not after its time', mark(100, { seq: 57, until: at(0) }), batch(58), 'refused'],
      ['and changes nothing for what is above the mark', open, batch(101), 100],
    ])('%s', (_name, from, given, expected) => {
      expect(judged(from, given)).toBe(expected);
    });

    it('is used up by the first batch', () => {
      const verdict = judgeStart(open, batch(58), NOW);
      expect(verdict).toEqual({ permitted: true, mark: mark(57), reopened: true });
      expect(judged(verdict.mark, batch(58))).toBe(57);
      expect(judged(verdict.mark, batch(57))).toBe('refused');
    });

    it('stays open for what does not need it', () => {
      expect(judgeStart(open, batch(111), NOW)).toMatchObject({ mark: { seq: 110, window: open.window } });
    });
  });
});
