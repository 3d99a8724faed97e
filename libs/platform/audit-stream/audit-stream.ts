import { type AuditStreamError } from './audit-stream.error';

/**
 * The stream that carries committed events from the outbox relay to the workers: one partition per shard, each record
 * the canonical bytes of one event, in the order of `seq`. Two transports: Kafka, and PostgreSQL for one machine.
 */

/** One unchecked record as the transport hands it over. */
export interface StreamRecord {
  readonly bytes: Uint8Array;
  /** Where reading continues after this record, in the transport's own terms (Kafka: the next offset). */
  readonly nextCursor: string;
  /** Header of its trace, unchecked; undefined mostly. */
  readonly traceparent?: string | undefined;
}

/** Position of a consumer in one shard. */
export interface StreamPosition {
  /** 0 before the first event. */
  readonly seq: number;
  /** Hex hash of the event at `seq`; the genesis value at 0. */
  readonly hash: string;
  /** Cursor of the last handled record; null to begin with the oldest that the transport has. */
  readonly cursor: string | null;
}

/** The relay's side. */
export interface AuditStreamPublisher {
  /**
   * Ensures that each shard has one partition.
   * @throws AuditStreamError `partitions_mismatch` for a topic with another number, `stream_unavailable`
   */
  prepare(): Promise<void>;

  /**
   * Resolves when the records are as durable as the transport makes them (Kafka: acks=all). One call at a time per
   * shard; after a failure, any of the records may be in the stream, and the caller publishes them again.
   * @throws AuditStreamError `stream_unavailable`
   */
  publish(shard: number, events: readonly PublishedEvent[]): Promise<void>;

  /** Settles when the transport answers. @throws AuditStreamError `stream_unavailable` */
  check(): Promise<void>;

  close(): Promise<void>;
}

export interface PublishedEvent {
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** Trace that goes on with it (W3C Trace Context); Kafka carries it as the header `traceparent`. */
  readonly traceparent?: string | undefined;
}

/** The workers' side. */
export interface AuditStreamConsumer {
  /**
   * Hands over the shard's records after a position, in order, one batch at a time, until `signal` is aborted. Then
   * resolves; waits while the transport is unreachable.
   * @param handle an error from it ends the subscription with that error; the next subscription hands the batch over
   * again
   * @throws AuditStreamError `records_lost` when the transport no longer has the records after the position
   */
  consume(
    shard: number,
    from: StreamPosition,
    handle: (records: readonly StreamRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;

  /** Settles when the transport answers. @throws AuditStreamError `stream_unavailable` */
  check(): Promise<void>;

  close(): Promise<void>;
}

/** Observer of what a transport does not throw. */
export interface AuditStreamObserver {
  /** A subscription lost its transport and tries again, until it succeeds or is aborted. */
  readonly onInterrupted?: (shard: number, error: AuditStreamError) => void;
  /** Kafka: the offset could not be noted for the group. Only tools that show the lag depend on it. */
  readonly onOffsetNotNoted?: (shard: number, error: AuditStreamError) => void;
}
