import { withRetries } from '#platform/resilience';
import { EventStoreError } from '../event-store.error';

/** At random up to this: so that two do not meet again and again. */
const PAUSE_MS = 15;

/** Whether somebody else was first: the stream is not at the version that the decision was based on. */
export function isVersionConflict(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === 'version_conflict';
}

/**
 * Makes a decision on what holds when it is committed.
 * @param attempt loads, decides and commits; made anew when somebody else was first
 * @throws EventStoreError `version_conflict` after the last attempt, and what else `attempt` throws
 */
export function decideAnew<T>(maxAttempts: number, attempt: () => Promise<T>): Promise<T> {
  const limits = { attempts: maxAttempts, firstPauseMs: PAUSE_MS, longestPauseMs: PAUSE_MS };
  return withRetries(limits, undefined, isVersionConflict, attempt);
}
