import { holdOf, rangeText } from './holds';

describe('what is to be held', () => {
  const id = '0198c0de-7a3b-7c4d-8e5f-0123456789ab';

  it('is an event', () => {
    expect(holdOf(` ${id.toUpperCase()} `, 'case 17')).toEqual({
      eventId: id,
      hold: true,
      reason: 'case 17',
    });
  });

  it.each([
    ['0:17', 17, 17],
    ['0:17 to 0:41', 17, 41],
    ['0:17-41', 17, 41],
  ])('is a range: %s', (text, fromSeq, toSeq) => {
    expect(holdOf(text, 'case 17')).toEqual({ shard: 0, fromSeq, toSeq, hold: true, reason: 'case 17' });
  });

  it.each(['', '17', '0:17 to 1:41', '0:41 to 0:17', '0:0', 'everything'])('is not %s', (text) => {
    expect(holdOf(text, 'case 17')).toBeNull();
  });

  it('is written as it is read', () => {
    expect(rangeText({ shard: 0, fromSeq: 17, toSeq: 17 })).toBe('0:17');
    expect(rangeText({ shard: 0, fromSeq: 17, toSeq: 41 })).toBe('0:17 to 0:41');
  });
});
