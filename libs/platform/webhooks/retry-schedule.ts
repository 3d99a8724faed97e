import { halfJitter } from '#platform/resilience';

/** When a delivery is tried again. */
export interface RetrySchedule {
  /** After the first failure. */
  firstMs: number;
  /** Each further wait is this many times the one before. */
  factor: number;
  mostMs: number;
  /** After as many it goes to the dead letters. */
  attempts: number;
}

/** 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 5.7 h, then every 6 h: some 30 hours in all, a night and a day. */
export const DEFAULT_SCHEDULE: Readonly<RetrySchedule> = Object.freeze({
  firstMs: 5_000,
  factor: 4,
  mostMs: 6 * 60 * 60 * 1_000,
  attempts: 12,
});

/**
 * The wait after a number of failures (from 1), or null when that was the last attempt. At random between half of it
 * and all of it, so that what failed together does not come back together. What the receiver asked for (Retry-After)
 * is kept, as far as `mostMs` goes.
 */
export function waitAfter(
  failures: number,
  { firstMs, factor, mostMs, attempts }: RetrySchedule,
  retryAfterMs: number | null,
  random: () => number = Math.random,
): number | null {
  if (failures >= attempts) return null;
  const full = Math.min(mostMs, firstMs * factor ** (failures - 1));
  return Math.round(Math.max(halfJitter(full, random), Math.min(retryAfterMs ?? 0, mostMs)));
}
