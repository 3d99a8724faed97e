import { Pace } from './pace';

const never = new AbortController().signal;

describe('Pace', () => {
  it('lets the first round and a round of its own length go on at once', async () => {
    const pace = new Pace(40);
    let began = performance.now();
    await pace.rest(never);
    expect(performance.now() - began).toBeLessThan(40);
    pace.begin();
    await new Promise((resolve) => setTimeout(resolve, 45));
    began = performance.now();
    await pace.rest(never);
    expect(performance.now() - began).toBeLessThan(40);
  });

  it('keeps a short round from being followed too soon', async () => {
    const pace = new Pace(40);
    const began = performance.now();
    pace.begin();
    await pace.rest(never);
    // A timer may be a millisecond early.
    expect(performance.now() - began).toBeGreaterThanOrEqual(38);
  });

  it('does not hold up an end', async () => {
    const pace = new Pace(60 * 60 * 1_000);
    const stop = new AbortController();
    pace.begin();
    const rest = pace.rest(stop.signal);
    stop.abort();
    await expect(rest).resolves.toBeUndefined();
    await expect(pace.rest(stop.signal)).resolves.toBeUndefined();
  });
});
