import { withRetries } from '#platform/resilience';
import { EventStoreError } from '../event-store.error';

/** Longest random pause, so that two processes do not keep meeting. */
const PAUSE_MS = 15;

/** Whether another process was first: the stream is not at the version that the decision was based on. */
export function isVersionConflict(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === 'version_conflict';
}

/**
 * Makes a decision that is based on the state at its commit.
 * @param attempt loads, decides and commits; called again when another process was first
 * @throws EventStoreError `version_conflict` after the last attempt, and any other error of `attempt`
 */
export function decideAnew<T>(maxAttempts: number, attempt: () => Promise<T>): Promise<T> {
  const limits = { attempts: maxAttempts, firstPauseMs: PAUSE_MS, longestPauseMs: PAUSE_MS };
  return withRetries(limits, undefined, isVersionConflict, attempt);
}
