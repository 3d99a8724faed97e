import { halfJitter } from '#platform/resilience';

/** Times at which a delivery is tried again. */
export interface RetrySchedule {
  /** Wait after the first failure. */
  firstMs: number;
  /** Each further wait is this many times the one before. */
  factor: number;
  mostMs: number;
  /** Number of attempts after which it goes to the dead letters. */
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
 * Returns the wait after a number of failures (from 1), or null when that was the last attempt. Random between half of
 * it and all of it, so that deliveries that failed together do not return together. Honours the receiver's Retry-After
 * up to `mostMs`.
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
