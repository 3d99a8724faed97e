import { setTimeout as delay } from 'node:timers/promises';
import { AttemptTimeout, s3Failure, type S3Failure } from './s3-failure';
import { ArchiveError } from '../archive.error';

export interface AttemptLimits {
  /** Attempts in all, the first one included. */
  attempts: number;
  /** For one attempt: connecting, sending, the answer and its body. */
  timeoutMs: number;
  /** The longest first pause; it doubles with each further one. */
  firstPauseMs: number;
  /** No pause is longer, also when the server asks for more. */
  maxPauseMs: number;
}

/** In the worst case an operation takes 5 x 10 s and 0.1 + 0.2 + 0.4 + 0.8 s of pauses. */
export const DEFAULT_ATTEMPT_LIMITS: AttemptLimits = {
  attempts: 5,
  timeoutMs: 10_000,
  firstPauseMs: 100,
  maxPauseMs: 5_000,
};

export function assertAttemptLimits(limits: AttemptLimits): void {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ArchiveError('invalid_options', `${name} is a whole number of at least 1, not ${value}.`);
    }
  }
}

/** A failure that was not, or could not be, overcome. */
export class FinalFailure extends Error {
  constructor(
    readonly failure: S3Failure,
    readonly attempts: number,
  ) {
    super(failure.message);
  }
}

export interface AttemptContext {
  limits: AttemptLimits;
  /** Aborted on close: no pause and no further attempt then; the one under way ends by itself. */
  closing: AbortSignal;
  /** Texts that no error may hold. */
  secrets: () => readonly string[];
  random?: () => number;
}

/**
 * Repeats what fails for passing reasons: "full jitter" pauses (a random time up to the bound, which doubles), so that
 * many workers do not come back at once.
 * @throws FinalFailure
 */
export async function withAttempts<T>(
  context: AttemptContext,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { limits, closing, secrets, random = Math.random } = context;
  for (let made = 1; ; made++) {
    try {
      return await withTimeout(limits.timeoutMs, attempt);
    } catch (error) {
      if (error instanceof ArchiveError) throw error;
      const failure = s3Failure(error, secrets());
      if (!failure.passing || made >= limits.attempts || closing.aborted) {
        throw new FinalFailure(failure, made);
      }
      const bound = Math.min(limits.maxPauseMs, limits.firstPauseMs * 2 ** (made - 1));
      const asked = Math.min(limits.maxPauseMs, failure.retryAfterMs ?? 0);
      const pause = Math.max(asked, random() * bound);
      try {
        await delay(pause, undefined, { signal: closing });
      } catch {
        throw new FinalFailure(failure, made);
      }
    }
  }
}

async function withTimeout<T>(timeoutMs: number, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    return await attempt(controller.signal);
  } catch (error) {
    // However the abortion came out (AbortError, a torn body), the reason is the time.
    if (controller.signal.aborted) throw new AttemptTimeout(`no complete answer within ${timeoutMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
