import { ParallelGate } from './parallel-gate';

describe('the gate', () => {
  /** Jobs that end when they are told to. */
  function jobs(gate: ParallelGate, count: number) {
    const started: number[] = [];
    const ends: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const results = Array.from({ length: count }, (_, n) =>
      gate.run(async () => {
        started.push(n);
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => (ends[n] = resolve));
        running -= 1;
        return n;
      }),
    );
    return { started, ends, results, most: () => most };
  }
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('lets as many run at once as it may, in the order in which they came', async () => {
    const { started, ends, results, most } = jobs(new ParallelGate(3), 8);
    await settle();
    expect(started).toEqual([0, 1, 2]);
    for (const n of [1, 0, 2, 3, 4, 5, 6, 7]) {
      ends[n]?.();
      await settle();
    }
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(most()).toBe(3);
  });

  it('gives the place of one that failed to the next', async () => {
    const gate = new ParallelGate(1);
    const failed = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(async () => 'next');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
    expect(await gate.run(async () => 'another')).toBe('another');
  });

  it('lets what runs end when it is closed, refuses what waits, and settles then', async () => {
    const gate = new ParallelGate(2);
    const { ends, results } = jobs(gate, 3);
    await settle();
    const refused = expect(results[2]).rejects.toMatchObject({ code: 'closed' });
    let closed = false;
    const closing = gate.close().then(() => (closed = true));
    await refused;
    ends[0]?.();
    await settle();
    expect(closed).toBe(false);
    ends[1]?.();
    await closing;
    expect(await Promise.all(results.slice(0, 2))).toEqual([0, 1]);
    await expect(gate.run(async () => 1)).rejects.toMatchObject({ code: 'closed' });
    await gate.close();
  });
});
