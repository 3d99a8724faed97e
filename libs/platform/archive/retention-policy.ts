import { type RetentionMode } from './archive';
import { ArchiveError } from './archive.error';

/** Lock that every object gets when it is stored. */
export interface RetentionPolicy {
  /**
   * `GOVERNANCE`: only the holder of a special right may shorten it. `COMPLIANCE`: no one can, not even the owner of
   * the account, until the time is over.
   */
  mode: RetentionMode;
  /** Whole days from the moment of storing. */
  days: number;
}

/** Seven years of which two are leap years (deployment guide, section 9: "e.g., 7 years"). */
export const DEFAULT_RETENTION_DAYS = 2_557;
/** Limit of S3: 100 years. */
export const MAX_RETENTION_DAYS = 36_500;

const DAY_MS = 86_400_000;
/** Clocks of server and client differ, and S3 keeps whole seconds: a lock this much short of its time is accepted. */
const SLACK_MS = DAY_MS;

export function assertRetentionPolicy({ mode, days }: RetentionPolicy): void {
  if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') {
    throw new ArchiveError(
      'invalid_options',
      `The retention mode is GOVERNANCE or COMPLIANCE, not ${String(mode)}.`,
    );
  }
  if (!Number.isInteger(days) || days < 1 || days > MAX_RETENTION_DAYS) {
    throw new ArchiveError(
      'invalid_options',
      `The retention is a whole number of days from 1 to ${MAX_RETENTION_DAYS}, not ${days}.`,
    );
  }
}

export function retainUntil(policy: RetentionPolicy, storedAt: Date): Date {
  return new Date(storedAt.getTime() + policy.days * DAY_MS);
}

/** Whether the lock of an object is as strong as the one that the policy would have given it when it was stored. */
export function keepsAsLongAs(
  lock: { mode: RetentionMode | null; retainUntil: Date | null },
  policy: RetentionPolicy,
  storedAt: Date,
): boolean {
  if (lock.mode === null || lock.retainUntil === null) return false;
  if (policy.mode === 'COMPLIANCE' && lock.mode !== 'COMPLIANCE') return false;
  return lock.retainUntil.getTime() >= retainUntil(policy, storedAt).getTime() - SLACK_MS;
}
