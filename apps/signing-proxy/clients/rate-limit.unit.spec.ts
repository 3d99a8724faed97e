import { RateLimit } from './rate-limit';

describe('RateLimit', () => {
  const client = { cn: 'kernel', purposes: ['audit-event' as const], perSecond: 100 };
  let now: number;
  let limit: RateLimit;
  beforeEach(() => {
    now = 1_000;
    limit = new RateLimit([client, { cn: 'archiver', purposes: ['archive-day'] }], () => now);
  });

  it('lets a second’s worth go at once, and more as it is earned', () => {
    expect([limit.take('kernel', 60), limit.take('kernel', 40), limit.take('kernel', 1)]).toEqual([
      true,
      true,
      false,
    ]);
    now += 100;
    expect([limit.take('kernel', 10), limit.take('kernel', 1)]).toEqual([true, false]);
  });

  it('does not save up more than a second’s worth', () => {
    now += 60_000;
    expect([limit.take('kernel', 100), limit.take('kernel', 1)]).toEqual([true, false]);
  });

  it('lets a batch go that is larger than a second’s worth, which the next ones pay for', () => {
    expect(limit.take('kernel', 250)).toBe(true);
    now += 1_000;
    expect(limit.take('kernel', 1)).toBe(false);
    now += 1_000;
    expect(limit.take('kernel', 50)).toBe(true);
  });

  it('counts nothing of a client without a limit', () => {
    expect(limit.take('archiver', 1_000_000)).toBe(true);
  });
});
