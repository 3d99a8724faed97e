import { CodedError } from '#evidence';

/**
 * - `version_conflict`: the stream is not at the expected version; load it and decide again
 * - `queue_full`: too many requests wait; try again later
 * - `signing_unavailable`: no signature, so nothing was committed
 * - `idempotency_mismatch`: this key was used before for another request
 * - `event_too_large`: canonical bytes beyond 65,535
 * - `streams_span_shards`: the writes of one request map to more than one shard
 * - `duplicate_event_id`: an event with this id exists
 * - `store_unavailable`: PostgreSQL is unreachable or refuses; whether the write was committed is not known unless
 *   `details.committed` is false. The same Idempotency-Key gives the answer once it is back
 * - `invalid_value`: PostgreSQL refuses a value as none of its type, and has rolled back: a defect, because what callers
 *   give is checked before
 * - `invalid_request`: the request is wrong; `details.pointer` says where
 * - `invalid_cursor`: a page cursor that this store did not issue, or issued for another query
 * - `not_migrated`: the schema is missing, older than this code, or its guards are off
 * - `chain_mismatch`: the database holds the chain of another origin, or another number of shards
 * - `store_behind`: the signer has signed events that build on a later position than the store has; `details` has `head`
 *   and `mark`. The database was restored to an older state, and continuing from it would fork the chain
 * - `clock_jumped`: this process's clock is further ahead than it may be, and its time must not get into the chain;
 *   `details` has `aheadMs` and `maxJumpMs`. Writes go on when the clock is right again
 * - `contended`: others kept deciding about the same thing, or too many wait for it; try again later
 * - `integrity`: a row of the database is not what this kernel wrote: forged, or damaged. Nothing is answered from it
 *   or built on it; `details.where` says of which kind it is
 * - `closed`: the store is shutting down
 */
export type EventStoreErrorCode =
  | 'version_conflict'
  | 'queue_full'
  | 'signing_unavailable'
  | 'idempotency_mismatch'
  | 'event_too_large'
  | 'streams_span_shards'
  | 'duplicate_event_id'
  | 'store_unavailable'
  | 'invalid_value'
  | 'invalid_request'
  | 'invalid_cursor'
  | 'not_migrated'
  | 'chain_mismatch'
  | 'store_behind'
  | 'clock_jumped'
  | 'contended'
  | 'integrity'
  | 'closed';

export class EventStoreError extends CodedError<EventStoreErrorCode> {}
