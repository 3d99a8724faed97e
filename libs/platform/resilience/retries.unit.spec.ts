import { withRetries } from './retries';

const LIMITS = { attempts: 3, firstPauseMs: 1, longestPauseMs: 2 };
const never = new AbortController().signal;

/** Returns a function that fails so many times, then returns the number of its calls. */
function failing(times: number): () => Promise<number> {
  let asked = 0;
  return async () => {
    if (++asked <= times) throw new Error(`failure ${asked}`);
    return asked;
  };
}

describe('withRetries', () => {
  it('repeats what may pass, up to a limit', async () => {
    expect(await withRetries(LIMITS, never, () => true, failing(2))).toBe(3);
    await expect(withRetries(LIMITS, never, () => true, failing(3))).rejects.toThrow('failure 3');
  });

  it('does not repeat what stays', async () => {
    await expect(withRetries(LIMITS, never, () => false, failing(1))).rejects.toThrow('failure 1');
  });

  it('waits as long as it is asked to, within its own limit', async () => {
    const started = performance.now();
    await withRetries(
      { ...LIMITS, longestPauseMs: 30 },
      never,
      () => 3_600_000,
      failing(1),
      () => 0,
    );
    expect(performance.now() - started).toBeGreaterThanOrEqual(29);
  });

  it('ends with the signal, also in a pause', async () => {
    const stop = new AbortController();
    const limits = { attempts: 3, firstPauseMs: 3_600_000, longestPauseMs: 3_600_000 };
    const waiting = withRetries(limits, stop.signal, () => true, failing(3));
    setImmediate(() => stop.abort(new Error('given up')));
    await expect(waiting).rejects.toThrow('given up');
    await expect(withRetries(limits, stop.signal, () => true, failing(3))).rejects.toThrow('given up');
  });
});
