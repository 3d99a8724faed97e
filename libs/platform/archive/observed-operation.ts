import { type ArchiveObserver, type FinishedOperation } from './archive';
import { ArchiveError } from './archive.error';

/** Runs an operation and tells the observer how it ended. */
export async function observed<T>(
  observer: ArchiveObserver | undefined,
  operation: FinishedOperation['operation'],
  job: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  let outcome = 'ok';
  try {
    return await job();
  } catch (error) {
    outcome = error instanceof ArchiveError ? error.code : 'unavailable';
    throw error;
  } finally {
    observer?.onOperation?.({ operation, outcome, ms: performance.now() - began });
  }
}
