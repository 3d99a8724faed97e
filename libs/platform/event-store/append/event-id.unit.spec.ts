import { newEventId } from './event-id';

describe('newEventId', () => {
  const ids = Array.from({ length: 10_000 }, newEventId);

  it('makes UUIDs of version 7 with the time in front', () => {
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt((ids[0] as string).replaceAll('-', '').slice(0, 12), 16);
    expect(Math.abs(Date.now() - time)).toBeLessThan(60_000);
  });

  it('makes each greater than the one before', () => {
    expect(ids.every((id, n) => n === 0 || id > (ids[n - 1] as string))).toBe(true);
  });

  it('does not repeat its random part when its pool is drawn anew', () => {
    expect(new Set(ids.map((id) => id.slice(-11))).size).toBe(ids.length);
  });
});
