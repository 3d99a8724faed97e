import { setImmediate as turn } from 'node:timers/promises';
import { InFlightLimit } from './in-flight-limit';

describe('InFlightLimit', () => {
  const never = new AbortController().signal;

  it('runs so many at once, the others in order', async () => {
    const limit = new InFlightLimit(2);
    const started: number[] = [];
    const held = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
    const jobs = held.map(({ promise }, n) =>
      limit.run(never, () => {
        started.push(n);
        return promise;
      }),
    );
    await turn();
    expect(started).toEqual([0, 1]);
    held[1]?.resolve(1);
    await turn();
    expect(started).toEqual([0, 1, 2]);
    held.forEach(({ resolve }, n) => resolve(n));
    expect(await Promise.all(jobs)).toEqual([0, 1, 2, 3, 4]);
  });

  it('gives the place of a job that failed to the next', async () => {
    const limit = new InFlightLimit(1);
    const failing = limit.run(never, () => Promise.reject(new Error('failed')));
    const next = limit.run(never, async () => 'done');
    await expect(failing).rejects.toThrow('failed');
    expect(await next).toBe('done');
  });

  it('forgets who is not wanted any more, and gives that one no place', async () => {
    const limit = new InFlightLimit(1);
    const held = Promise.withResolvers<void>();
    const first = limit.run(never, () => held.promise);
    const unwanted = new AbortController();
    let ran = false;
    const waiting = limit.run(unwanted.signal, async () => (ran = true));
    unwanted.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    held.resolve();
    await first;
    expect(await limit.run(never, async () => 'free')).toBe('free');
    expect(ran).toBe(false);
    await expect(limit.run(unwanted.signal, async () => 'late')).rejects.toThrow('given up');
  });
});
