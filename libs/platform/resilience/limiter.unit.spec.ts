import { setImmediate as settle } from 'node:timers/promises';
import { Limiter } from './limiter';

describe('Limiter', () => {
  /** Jobs that end when they are told to. */
  function jobs(limiter: Limiter, count: number) {
    const started: number[] = [];
    const held = Array.from({ length: count }, () => Promise.withResolvers<void>());
    let running = 0;
    let most = 0;
    const results = held.map(({ promise }, n) =>
      limiter.run(async () => {
        started.push(n);
        most = Math.max(most, ++running);
        await promise;
        running -= 1;
        return n;
      }),
    );
    return { started, ends: held.map(({ resolve }) => resolve), results, most: () => most };
  }

  it('lets as many run at once as it may, in the order in which they came', async () => {
    const { started, ends, results, most } = jobs(new Limiter(3), 8);
    await settle();
    expect(started).toEqual([0, 1, 2]);
    for (const [ended, n] of [1, 0, 2, 3, 4, 5, 6, 7].entries()) {
      ends[n]?.();
      await settle();
      expect(started).toHaveLength(Math.min(8, 4 + ended));
    }
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(most()).toBe(3);
  });

  it('has nobody overtake who waits, not even in the turn in which a place becomes free', async () => {
    const limiter = new Limiter(1);
    const held = Promise.withResolvers<void>();
    const order: string[] = [];
    const first = limiter.run(() => held.promise);
    const waiting = limiter.run(async () => order.push('waited'));
    const late = first.then(() => limiter.run(async () => order.push('came later')));
    held.resolve();
    await Promise.all([waiting, late]);
    expect(order).toEqual(['waited', 'came later']);
  });

  it('gives the place of a job that failed to the next', async () => {
    const limiter = new Limiter(1);
    const failed = limiter.run(() => Promise.reject(new Error('no')));
    const next = limiter.run(async () => 'next');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
    const failing = jobs(limiter, 1);
    const waiting = limiter.run(() => Promise.reject(new Error('no either')));
    failing.ends[0]?.();
    await expect(waiting).rejects.toThrow('no either');
    expect(await limiter.run(async () => 'another')).toBe('another');
  });

  it('forgets a job whose signal is aborted while it waits, and gives it no place', async () => {
    const limiter = new Limiter(1);
    const { ends, results } = jobs(limiter, 1);
    const unwanted = new AbortController();
    const { signal } = unwanted;
    let ran = false;
    const waiting = limiter.run(async () => (ran = true), { signal });
    unwanted.abort(new Error('given up'));
    await expect(waiting).rejects.toThrow('given up');
    ends[0]?.();
    await results[0];
    expect(await limiter.run(async () => 'free')).toBe('free');
    expect(ran).toBe(false);
    await expect(limiter.run(async () => 'late', { signal })).rejects.toThrow('given up');
  });

  it('leaves a job alone that runs when its signal is aborted, or its time to wait is over', async () => {
    const limiter = new Limiter(1);
    const { ends } = jobs(limiter, 1);
    const abort = new AbortController();
    const held = Promise.withResolvers<string>();
    const job = limiter.run(() => held.promise, {
      signal: abort.signal,
      atMost: { ms: 20, late: () => new Error('late') },
    });
    ends[0]?.();
    await settle();
    abort.abort(new Error('too late'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    held.resolve('done');
    expect(await job).toBe('done');
  });

  it('gives up on a place in time, and the place is not lost', async () => {
    const limiter = new Limiter(1);
    const { ends, results } = jobs(limiter, 1);
    const patience = { atMost: { ms: 20, late: (ms: number) => new Error(`busy for ${ms} ms`) } };
    await expect(limiter.run(async () => 1, patience)).rejects.toThrow('busy for 20 ms');
    ends[0]?.();
    await results[0];
    expect(await limiter.run(async () => 2, patience)).toBe(2);
  });

  it('lets many jobs wait on one signal without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', onWarning);
    const limiter = new Limiter(1);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, () => limiter.run(settle<void>, { signal })));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('gives results in order', async () => {
    const limiter = new Limiter(2);
    expect(await limiter.map([30, 1, 10], async (n) => (await settle(), n * 2))).toEqual([60, 2, 20]);
  });

  it('lets what runs end when it is closed, refuses what waits, and settles then', async () => {
    const limiter = new Limiter(2);
    const refusal = (): Error => new Error('closed');
    const { ends, results } = jobs(limiter, 3);
    await settle();
    const refused = expect(results[2]).rejects.toThrow('closed');
    let closed = false;
    const closing = limiter.close(refusal).then(() => (closed = true));
    await refused;
    ends[0]?.();
    await settle();
    expect(closed).toBe(false);
    ends[1]?.();
    await closing;
    expect(await Promise.all(results.slice(0, 2))).toEqual([0, 1]);
    await expect(limiter.run(async () => 1)).rejects.toThrow('closed');
    await limiter.close(refusal);
  });
});
