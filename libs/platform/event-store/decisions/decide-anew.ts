import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreError } from '../event-store.error';

/** Random, up to this: so that two do not meet again and again. */
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
export async function decideAnew<T>(maxAttempts: number, attempt: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isVersionConflict(error) || n >= maxAttempts) throw error;
      await delay(Math.random() * PAUSE_MS);
    }
  }
}
