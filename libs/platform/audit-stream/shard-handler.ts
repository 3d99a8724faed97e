import { type AuditEvent } from '#evidence';
import { type StreamPosition } from './audit-stream';

/** An event that passed all checks and directly follows the handler's position. */
export interface VerifiedEvent {
  readonly event: AuditEvent;
  /** The canonical bytes. */
  readonly bytes: Uint8Array;
  /** Stored in the position with the event. */
  readonly nextCursor: string;
  /** Header of its trace, unchecked; undefined mostly. */
  readonly traceparent?: string | undefined;
}

/**
 * A worker's handling of events. One handler serves every shard; the runner calls it for one batch of a shard at a
 * time, only with verified events that follow the position which it read.
 */
export interface ShardHandler {
  /** Stored position: read when a subscription begins, and again after `apply` has thrown. */
  position(shard: number): Promise<StreamPosition>;

  /**
   * Applies effect and position in one transaction, all or none. @throws PositionMoved when another process moved the
   * position meanwhile; any other error is tried again after a pause, unless it is an IntegrityFault
   */
  apply(shard: number, events: readonly VerifiedEvent[]): Promise<void>;
}

/** Another process of the same worker was first: read the position again and continue from there. */
export class PositionMoved extends Error {
  override readonly name = 'PositionMoved';
}

/**
 * Stored, archived or read data contradicts the chain. Stops the shard until a person has looked; counted in
 * `audit_integrity_failures_total` by `kind`.
 */
export class IntegrityFault extends Error {
  override readonly name = 'IntegrityFault';

  constructor(
    readonly kind:
      | 'format'
      | 'hash'
      | 'link'
      | 'gap'
      | 'fork'
      | 'signature'
      | 'key'
      | 'wrong_shard'
      | 'records_lost'
      | 'different_object',
    readonly shard: number,
    readonly seq: number | null,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
