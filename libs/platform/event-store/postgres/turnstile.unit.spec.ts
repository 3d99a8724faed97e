import { Turnstile } from './turnstile';

describe('Turnstile', () => {
  /** Work that ends when told. */
  function work(): { run: () => Promise<string>; end: (value: string) => void; fail: () => void } {
    let end: (value: string) => void = () => undefined;
    let fail: () => void = () => undefined;
    const done = new Promise<string>((resolve, reject) => {
      end = resolve;
      fail = () => reject(new Error('failed'));
    });
    return { run: () => done, end, fail };
  }

  it('lets so many in at a time, first come first served, and keeps its places when work fails', async () => {
    const turnstile = new Turnstile(2, 10_000);
    const works = [work(), work(), work(), work()] as const;
    const started: number[] = [];
    const results = works.map(({ run }, n) =>
      turnstile.pass(() => {
        started.push(n);
        return run();
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    works[1].fail();
    await expect(results[1]).rejects.toThrow('failed');
    expect(started).toEqual([0, 1, 2]);
    works[0].end('a');
    works[2].end('c');
    works[3].end('d');
    expect(await Promise.all([results[0], results[2], results[3]])).toEqual(['a', 'c', 'd']);
    expect(started).toEqual([0, 1, 2, 3]);
    // All places are free again.
    const again = [turnstile.pass(async () => 1), turnstile.pass(async () => 2)];
    expect(await Promise.all(again)).toEqual([1, 2]);
  });

  it('gives up on a place in time, and the place is not lost', async () => {
    const turnstile = new Turnstile(1, 20);
    const first = work();
    const holding = turnstile.pass(first.run);
    await expect(turnstile.pass(async () => 1)).rejects.toThrow('busy for 20 ms');
    first.end('x');
    await holding;
    expect(await turnstile.pass(async () => 2)).toBe(2);
  });
});
