import { historyTimeline, isSegment, neededSegments, readHistory, walAfter } from './wal-names';

describe('names of write-ahead log files', () => {
  it.each([
    ['000000010000000000000002', '000000010000000000000003'],
    // Over the border of a log: 16 MiB segments, 256 of them.
    ['0000000100000000000000FF', '000000010000000100000000'],
    ['0000000A000000FF000000FF', '0000000A0000010000000000'],
  ])('%s is followed by %s', (name, next) => {
    expect(walAfter(name)).toBe(next);
  });

  it('tells segments from what lies beside them', () => {
    expect(isSegment('000000010000000000000002')).toBe(true);
    expect(isSegment('000000010000000000000002.00000028.backup')).toBe(false);
    expect(isSegment('000000010000000000000002.partial')).toBe(false);
    expect(historyTimeline('0000000B.history')).toBe(11);
    expect(historyTimeline('000000010000000000000002')).toBeNull();
  });

  it('names what recovery reads on one timeline', () => {
    expect(neededSegments('0000000100000000000000FE', 1, 0x101n, [])).toEqual([
      '0000000100000000000000FE',
      '0000000100000000000000FF',
      '000000010000000100000000',
      '000000010000000100000001',
    ]);
  });

  it('follows a history: the segment of the switch is read from the later timeline', () => {
    const history = readHistory('1\t0/50000A8\tbefore 2026-11-30\n\n2\t0/8000000\tno recovery target\n');
    expect(history).toEqual([
      { timeline: 1, segment: 5n },
      { timeline: 2, segment: 8n },
    ]);
    expect(neededSegments('000000010000000000000004', 3, 9n, history)).toEqual([
      '000000010000000000000004',
      '000000020000000000000005',
      '000000020000000000000006',
      '000000020000000000000007',
      '000000030000000000000008',
      '000000030000000000000009',
    ]);
  });
});
