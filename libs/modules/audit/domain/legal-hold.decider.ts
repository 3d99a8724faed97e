import { type JsonObject } from '#evidence';
import { AuditError } from './audit.error';

/** Consecutive events of one shard, both ends included. */
export interface EventRange {
  readonly shard: number;
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** Current state of the stream of a range. */
export interface LegalHoldState {
  readonly inForce: boolean;
}

export interface LegalHoldCommand extends EventRange {
  /** Place the hold, or lift it. */
  readonly hold: boolean;
  readonly reason: string;
}

export const NEVER_HELD: LegalHoldState = { inForce: false };

/** Each range has a stream of its own: a hold is lifted as it was placed, and others that overlap stay in force. */
export function legalHoldStream({ shard, fromSeq, toSeq }: EventRange): string {
  return `legal_hold/${shard}:${fromSeq}-${toSeq}`;
}

export function evolveLegalHold(state: LegalHoldState, event: { type: string }): LegalHoldState {
  switch (event.type) {
    case 'legal_hold.placed':
      return { inForce: true };
    case 'legal_hold.lifted':
      return { inForce: false };
    default:
      return state;
  }
}

/**
 * @param head the last position of the shard
 * @throws AuditError `invalid_range`, `legal_hold_in_force`, `legal_hold_not_in_force`
 */
export function decideLegalHold(
  state: LegalHoldState,
  { shard, fromSeq, toSeq, hold, reason }: LegalHoldCommand,
  head: number,
): { type: string; payload: JsonObject } {
  if (toSeq < fromSeq || toSeq > head) {
    throw new AuditError(
      'invalid_range',
      `The range ${fromSeq} to ${toSeq} does not lie within shard ${shard}, which ends at ${head}.`,
      { pointer: '/toSeq' },
    );
  }
  if (state.inForce === hold) {
    throw hold
      ? new AuditError('legal_hold_in_force', `The events ${shard}:${fromSeq} to ${toSeq} are held already.`)
      : new AuditError(
          'legal_hold_not_in_force',
          `There is no hold on exactly the events ${shard}:${fromSeq} to ${toSeq}; a hold is lifted on the range on which it was placed.`,
        );
  }
  return {
    type: hold ? 'legal_hold.placed' : 'legal_hold.lifted',
    payload: { shard, fromSeq, toSeq, reason },
  };
}
