import { setTimeout as delay } from 'node:timers/promises';

export interface RetryLimits {
  /** Attempts in all, the first one included. */
  attempts: number;
  /** The longest first pause; it doubles with each further one. */
  firstPauseMs: number;
  /** No pause is longer, even when the other side asks for more. */
  longestPauseMs: number;
}

/**
 * Repeats what failed for a transient reason. The pauses are "full jitter" (a random time up to the bound), so that
 * callers who were throttled together do not return together.
 * @param passing whether another attempt may succeed; a number is how many ms the other side asks to wait
 * @throws what the last attempt threw, or the reason of the signal
 */
export async function withRetries<T>(
  limits: RetryLimits,
  signal: AbortSignal | undefined,
  passing: (error: unknown) => boolean | number,
  attempt: () => Promise<T>,
  random: () => number = Math.random,
): Promise<T> {
  for (let made = 1; ; made++) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      const verdict = passing(error);
      if (verdict === false || made >= limits.attempts) throw error;
      const bound = Math.min(limits.longestPauseMs, limits.firstPauseMs * 2 ** (made - 1));
      const asked = verdict === true ? 0 : Math.min(limits.longestPauseMs, verdict);
      try {
        await delay(Math.max(asked, random() * bound), undefined, { signal });
      } catch {
        throw signal?.reason;
      }
    }
  }
}
