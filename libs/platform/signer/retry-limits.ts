import { type RetryLimits } from '#platform/resilience';

/** A batch has a second in all: three more attempts within some 350 ms, and the rest for the answers. */
export const DEFAULT_RETRY_LIMITS: RetryLimits = { attempts: 4, firstPauseMs: 50, longestPauseMs: 400 };
