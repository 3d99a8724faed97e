import { stopAfter, withRetries } from '#platform/resilience';
import { AttemptTimeout, s3Failure, type S3Failure } from './s3-failure';
import { ArchiveError } from '../archive.error';

export interface AttemptLimits {
  /** Attempts in all, the first one included. */
  attempts: number;
  /** Limit of one attempt: connecting, sending, the answer and its body. */
  timeoutMs: number;
  /** The longest first pause; it doubles with each further one. */
  firstPauseMs: number;
  /** No pause is longer, even when the server asks for more. */
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

/** A failure that retries did not, or could not, overcome. */
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
  /** Aborted on close: then no pause and no further attempt; the current one ends by itself. */
  closing: AbortSignal;
  /** Texts that no error may hold. */
  secrets: () => readonly string[];
  /** Whether a failure that would be final may pass nevertheless. */
  mayPass?: (failure: S3Failure) => boolean;
  random?: () => number;
}

/**
 * Repeats what fails for transient reasons, each attempt within its own time limit.
 * @throws FinalFailure
 */
export async function withAttempts<T>(
  context: AttemptContext,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { limits, closing, secrets, mayPass, random } = context;
  let made = 0;
  let last: Error | undefined;
  const once = async (): Promise<T> => {
    made++;
    try {
      return await stopAfter(limits.timeoutMs, tooLate, attempt);
    } catch (error) {
      last = error instanceof ArchiveError ? error : new FinalFailure(s3Failure(error, secrets()), made);
      throw last;
    }
  };
  const passing = (error: unknown): boolean | number =>
    error instanceof FinalFailure &&
    (error.failure.passing || mayPass?.(error.failure) === true) &&
    (error.failure.retryAfterMs ?? true);
  try {
    return await withRetries(
      { ...limits, longestPauseMs: limits.maxPauseMs },
      closing,
      passing,
      once,
      random,
    );
  } catch (error) {
    // A close during a pause reports the failure of the attempt before it.
    throw last ?? error;
  }
}

function tooLate(ms: number): AttemptTimeout {
  return new AttemptTimeout(`no complete answer within ${ms} ms`);
}
