import { type HighWaterMark } from '#platform/signer';
import { type BatchStart, judgeStart, opensSomething, signedAtMost, unmarked } from './high-water-mark';

const NOW = Date.parse('2026-02-01T10:00:00.000Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();
const batch = (start: number, committed = start - 1, end = start + 9): BatchStart => ({
  shard: 0,
  start,
  end,
  committed,
});
const mark = (
  seq: number,
  signed: number,
  window: { seq: number; until: string } | null = null,
): HighWaterMark => ({
  shard: 0,
  seq,
  signed,
  window: window && { ...window, openedBy: 'ops', reason: 'a drill' },
});
const judged = (from: HighWaterMark, given: BatchStart): string => {
  const verdict = judgeStart(from, given, NOW);
  return verdict.permitted ? `${verdict.mark.seq}, signed ${verdict.mark.signed}` : verdict.why;
};

describe('judgeStart', () => {
  it.each([
    ['the first batch of a chain', unmarked(0), batch(1), '0, signed 10'],
    ['the next batch', mark(10, 20), batch(21), '20, signed 30'],
    ['the same again, because its commit failed', mark(20, 30), batch(21), '20, signed 30'],
    ['the same again by a replica that has less behind it', mark(20, 30), batch(21, 18), '20, signed 30'],
    ['a batch on top of one that is being committed', mark(20, 30), batch(31, 20), '20, signed 40'],
    ['one that overtakes the one before it', mark(20, 20), batch(31, 20), '20, signed 40'],
    ['and then the one that was overtaken', mark(20, 40), batch(21, 20), '20, signed 40'],
    ['what comes after that one failed', mark(20, 40), batch(21, 20), '20, signed 40'],
    ['a batch that starts at the mark', mark(20, 30), batch(20), 'below_high_water_mark'],
    ['a batch below the mark', mark(20, 30), batch(5), 'below_high_water_mark'],
    ['the first position again', mark(20, 30), batch(1), 'below_high_water_mark'],
    ['a position far ahead', mark(20, 30), batch(100_000), 'position_ahead'],
    ['one position too far', mark(20, 30), batch(32), 'position_ahead'],
    ['a claim that what nobody signed is committed', mark(20, 30), batch(50, 31), 'position_ahead'],
    ['an old chain of which nothing is known', unmarked(0), batch(501), 'position_ahead'],
  ])('%s', (_name, from, given, expected) => {
    expect(judged(from, given)).toBe(expected);
  });

  it('leaves the next honest batch its way, whatever a single other request was', () => {
    const head = 20;
    const honest = batch(head + 1);
    for (let start = 1; start < 120; start++) {
      for (let committed = 0; committed < start; committed++) {
        const verdict = judgeStart(mark(15, head), batch(start, committed, start + 511), NOW);
        expect(judgeStart(verdict.mark, honest, NOW).permitted).toBe(true);
      }
    }
  });

  describe('with a restore window below the mark', () => {
    const open = mark(100, 110, { seq: 57, until: at(60) });

    it.each([
      ['lets the restored database go on after its head', open, batch(58), '57, signed 67'],
      ['and no other one', open, batch(57), 'below_high_water_mark'],
      ['not after its time', mark(100, 110, { seq: 57, until: at(0) }), batch(58), 'below_high_water_mark'],
      ['and changes nothing for what is above the mark', open, batch(101), '100, signed 110'],
      ['nor for what is far ahead', open, batch(112), 'position_ahead'],
    ])('%s', (_name, from, given, expected) => {
      expect(judged(from, given)).toBe(expected);
    });

    it('is used up by the first batch', () => {
      const verdict = judgeStart(open, batch(58), NOW);
      expect(verdict).toEqual({ permitted: true, mark: mark(57, 67), reopened: true });
      expect(judged(verdict.mark, batch(58))).toBe('57, signed 67');
      expect(judged(verdict.mark, batch(57))).toBe('below_high_water_mark');
      expect(judged(verdict.mark, batch(101))).toBe('position_ahead');
    });

    it('stays open for what does not need it', () => {
      expect(judgeStart(open, batch(111), NOW)).toMatchObject({
        mark: { seq: 110, signed: 120, window: open.window },
      });
    });
  });

  describe('with a restore window above everything that was signed', () => {
    const open = mark(0, 0, { seq: 500, until: at(60) });

    it.each([
      ['lets a chain go on whose marks are lost', open, batch(501), '500, signed 510'],
      ['at no earlier position', open, batch(500), 'position_ahead'],
      ['at no later one', open, batch(502), 'position_ahead'],
      ['not after its time', mark(0, 0, { seq: 500, until: at(0) }), batch(501), 'position_ahead'],
    ])('%s', (_name, from, given, expected) => {
      expect(judged(from, given)).toBe(expected);
    });
  });

  it('has nothing to open where nothing is refused', () => {
    expect([99, 100, 105, 110, 111].map((seq) => opensSomething(mark(100, 110), seq))).toEqual([
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  it('takes a mark of an earlier version for the most that was signed with it', () => {
    const kept = mark(20, signedAtMost(20));
    // The last of three groups that were signed ahead of a commit.
    expect(judged(kept, batch(3_093, 20, 3_093))).toBe('20, signed 3093');
    expect(judged(kept, batch(3_095))).toBe('position_ahead');
  });
});
