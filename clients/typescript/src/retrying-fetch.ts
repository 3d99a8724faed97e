import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, fetch, Request, type Response } from 'undici';

export interface RetryOptions {
  /** Attempts in all; default 6. */
  readonly attempts?: number;
  /** Longest time from the first attempt to the beginning of the last; default 60 s. */
  readonly withinMs?: number;
}

const ATTEMPTS = 6;
const WITHIN_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * A fetch that repeats what failed for a while: connections that break, and 503, after the time that `Retry-After` says. Every
 * POST has an `Idempotency-Key`, the same in each attempt, so that nothing is recorded twice however often an answer is lost.
 */
export function retryingFetch(
  dispatcher: Dispatcher,
  { attempts = ATTEMPTS, withinMs = WITHIN_MS }: RetryOptions = {},
): (request: Request) => Promise<Response> {
  return async (given) => {
    const headers = new Headers([...given.headers]);
    if (given.method === 'POST' && !headers.has('idempotency-key'))
      headers.set('idempotency-key', randomUUID());
    const body = given.body === null ? null : Buffer.from(await given.arrayBuffer());
    const { url, method, signal } = given;
    const deadline = performance.now() + withinMs;
    for (let attempt = 1; ; attempt += 1) {
      const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
      const worthIt = (pause: number): boolean =>
        attempt < attempts && !signal.aborted && performance.now() + pause <= deadline;
      let pause: number;
      try {
        const answer = await fetch(new Request(url, { method, headers: [...headers], body, signal }), {
          dispatcher,
        });
        pause = Math.max(backoff, Number(answer.headers.get('retry-after') ?? 0) * 1_000);
        if (answer.status !== 503 || !worthIt(pause)) return answer;
        await answer.body?.cancel();
      } catch (error) {
        pause = backoff;
        if (!worthIt(pause)) throw error;
      }
      // Not all callers at once.
      await delay(pause * (1 + Math.random() / 4), undefined, { signal });
    }
  };
}
