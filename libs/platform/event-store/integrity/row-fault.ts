import { EventStoreError } from '../event-store.error';

/**
 * A row of the database that cannot be what this kernel wrote.
 * - `event`: of the event log; `index`: of the audit index; `head`: the one that the next event would build on
 * - `answer`: a stored answer of an idempotency key; `mode`: a change of the mode; `hold`: a legal hold as the archiver noted it;
 *   `notification`: one that waits to be sent; `webhook`: how far the events of a subscription are sent; `session`: of a person
 *   who signed in; `audit_run`: an audit as the auditor recorded it
 */
export interface RowFault {
  readonly where:
    | 'event'
    | 'index'
    | 'head'
    | 'answer'
    | 'mode'
    | 'hold'
    | 'notification'
    | 'webhook'
    | 'session'
    | 'audit_run';
  /** A sentence that names the row and what is wrong with it. */
  readonly message: string;
}

/** Told of every fault that is found; it must not throw. */
export type OnRowFault = (fault: RowFault) => void;

/** @returns the refusal of whatever would have rested on that row */
export function integrityError(fault: RowFault, cause?: unknown): EventStoreError {
  return new EventStoreError(
    'integrity',
    `${fault.message} Nothing is answered from it and nothing is built on it; see runbooks/integrity-alarm.md.`,
    { where: fault.where, committed: false },
    { cause },
  );
}
