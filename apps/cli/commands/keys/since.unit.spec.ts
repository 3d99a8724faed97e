import { sinceOf } from './since';

describe('--since', () => {
  it.each([
    ['0:1041', { shard: 0, seq: 1041 }],
    ['3:7', { shard: 3, seq: 7 }],
    ['1041', { shard: 0, seq: 1041 }],
    ['2026-05-03T14:00:00Z', { ts: '2026-05-03T14:00:00.000Z' }],
    ['2026-05-03T14:00:00.5+02:00', { ts: '2026-05-03T12:00:00.500Z' }],
  ])('%s is read', (text, since) => expect(sinceOf(text)).toEqual(since));

  it.each([
    '2026-05-03T14:00:00',
    '2026-05-03 14:00',
    '2026-05-03',
    'May 3, 2026',
    '2026-02-31T00:00:00Z',
    '-1',
  ])('%s is refused, which a clock elsewhere would take otherwise', (text) =>
    expect(() => sinceOf(text)).toThrow(/takes a position/),
  );
});
