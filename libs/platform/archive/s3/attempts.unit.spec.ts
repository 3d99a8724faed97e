import { type AttemptContext, DEFAULT_ATTEMPT_LIMITS, FinalFailure, withAttempts } from './attempts';
import { ArchiveError } from '../archive.error';

function context(overrides: Partial<AttemptContext> = {}): AttemptContext {
  return {
    limits: { attempts: 5, timeoutMs: 1_000, firstPauseMs: 1, maxPauseMs: 4 },
    closing: new AbortController().signal,
    secrets: () => [],
    random: () => 0,
    ...overrides,
  };
}

function answer(status: number, name: string, headers: Record<string, string> = {}): Error {
  return Object.assign(new Error(name), {
    name,
    $metadata: { httpStatusCode: status },
    $response: { headers },
  });
}

/** The pauses between the attempts of an operation that always fails, in ms. */
async function pausesOf(given: AttemptContext, error: Error): Promise<number[]> {
  const pauses: number[] = [];
  let last: number | undefined;
  await withAttempts(given, async () => {
    const now = performance.now();
    if (last !== undefined) pauses.push(now - last);
    last = now;
    throw error;
  }).catch(() => undefined);
  return pauses;
}

describe('attempts', () => {
  it('pause up to a bound that doubles until it is the longest', async () => {
    const limits = { attempts: 6, timeoutMs: 1_000, firstPauseMs: 10, maxPauseMs: 50 };
    const asked: number[] = [];
    const pauses = await pausesOf(
      context({
        limits,
        random: () => {
          asked.push(1);
          return 1;
        },
      }),
      answer(503, 'SlowDown'),
    );
    // Timers of Node may fire a millisecond early; how late they fire is up to the machine.
    for (const [n, bound] of [10, 20, 40, 50, 50].entries())
      expect(pauses[n]).toBeGreaterThanOrEqual(bound - 1.5);
    expect(pauses).toHaveLength(5);
    expect(asked).toHaveLength(5);
  });

  it('pause as long as the server asks, but no longer than they may', async () => {
    const limits = { attempts: 2, timeoutMs: 1_000, firstPauseMs: 1, maxPauseMs: 30 };
    const began = performance.now();
    const [pause] = await pausesOf(context({ limits }), answer(503, 'SlowDown', { 'retry-after': '600' }));
    expect(pause).toBeGreaterThanOrEqual(28.5);
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  it.each([
    ['an overload', answer(503, 'SlowDown'), 5],
    ['a clock that is off', answer(403, 'RequestTimeTooSkewed'), 5],
    ['a lost connection', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), 5],
    ['a lacking right', answer(403, 'AccessDenied'), 1],
    ['a condition that is not met', answer(412, 'PreconditionFailed'), 1],
    ['something not implemented', answer(501, 'NotImplemented'), 1],
    ['a mistake in the program', new TypeError('x is not a function'), 1],
  ])('are as many as make sense for %s', async (_, error, expected) => {
    let made = 0;
    const failure = await withAttempts(context(), async () => {
      made += 1;
      throw error;
    }).catch((reason: unknown) => reason);
    expect(made).toBe(expected);
    expect(failure).toBeInstanceOf(FinalFailure);
    expect(failure).toMatchObject({ attempts: expected });
  });

  it('give the value of the first that succeeds', async () => {
    let made = 0;
    const value = await withAttempts(context(), async () => {
      made += 1;
      if (made < 3) throw answer(500, 'InternalError');
      return made;
    });
    expect(value).toBe(3);
  });

  it('leave what the archive itself decided as it is', async () => {
    const decided = new ArchiveError('object_too_large', 'x');
    await expect(withAttempts(context(), () => Promise.reject(decided))).rejects.toBe(decided);
  });

  it('have limits that bound an operation to a minute', () => {
    const { attempts, timeoutMs, firstPauseMs } = DEFAULT_ATTEMPT_LIMITS;
    const pauses = Array.from({ length: attempts - 1 }, (_, n) => firstPauseMs * 2 ** n);
    expect(attempts * timeoutMs + pauses.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(60_000);
  });
});
