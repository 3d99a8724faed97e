import { type AuditEvent } from '#evidence';

/** What `./kernel drill` appends: a caller's event, true as far as its actor is believed. */
export const DRILL_COMPLETED = 'drill.completed';
export const DRILLS = ['restore', 'kms', 'audit', 'compromise', 'multisig'] as const;
export type DrillName = (typeof DRILLS)[number];

/**
 * @param events of the stream of one drill, newest first
 * @returns when the newest one that passed was recorded, in milliseconds; by the kernel's clock and not the caller's
 */
export function newestPassed(events: readonly AuditEvent[]): number | undefined {
  const last = events.find(
    ({ type, payload }) => type === DRILL_COMPLETED && verdictOf(payload) === 'passed',
  );
  return last === undefined ? undefined : Date.parse(last.ts);
}

function verdictOf(payload: unknown): unknown {
  return typeof payload === 'object' && payload !== null && 'verdict' in payload
    ? payload.verdict
    : undefined;
}
