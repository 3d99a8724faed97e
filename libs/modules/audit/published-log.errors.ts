import { ArchiveError } from '#platform/archive';
import { LogError } from '#platform/log';
import { AuditError } from './domain/audit.error';

/** Failures that pass, or that configuration ends; what contradicts the log stays our fault. */
const PASSING = new Set(['unavailable', 'access_denied', 'closed', 'bucket_missing']);

/** Reads the published log. @throws AuditError `log_unavailable` while it cannot be read */
export async function readingLog<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const passes =
      (error instanceof ArchiveError && PASSING.has(error.code)) ||
      (error instanceof LogError && error.code === 'not_configured');
    if (!passes) throw error;
    throw new AuditError('log_unavailable', error.message, {}, { cause: error });
  }
}
