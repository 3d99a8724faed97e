/** Bounds of the append path. Each is a default of `EventStoreOptions.limits`. */
export interface EventStoreLimits {
  /** Requests that may wait per shard; Tessera pushes back at the same number. */
  maxQueuedRequests: number;
  /** Bytes of payload that may wait per shard: large events must not fill the heap long before the count is reached. */
  maxQueuedBytes: number;
  /** Requests in one group. */
  maxGroupRequests: number;
  /** Events in one group, so that signing does not make everyone wait for one bulk writer. */
  maxGroupEvents: number;
  /** Bytes of payload in one group: one statement carries them all. */
  maxGroupBytes: number;
  /** Groups numbered ahead of the one that is being committed, itself included. */
  maxGroupsInFlight: number;
  /** So many waiting requests make a group at once; fewer wait until the group before is signed, and grow meanwhile. */
  startGroupFrom: number;
  /**
   * One sign call, less what the group has waited. A write answers within 2 s when the signer hangs, so it is less than
   * that with the age below.
   */
  signTimeoutMs: number;
  /** How long a group is tried again when PostgreSQL is away, and how long one statement may take. */
  storeTimeoutMs: number;
  /**
   * When a group is refused because signer or store are away, whatever has waited this long is refused with it:
   * otherwise the end of a long queue would wait for one timeout per group.
   */
  refuseQueuedAfterMs: number;
  /** Age at which an idempotency key is forgotten. */
  idempotencyRetentionMs: number;
  /** How often expired keys are looked for. */
  idempotencyPurgeIntervalMs: number;
  /** A tail looks for itself this often, should a notification get lost. */
  tailPollMs: number;
}

export const DEFAULT_LIMITS: Readonly<EventStoreLimits> = {
  maxQueuedRequests: 4_096,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxGroupRequests: 256,
  maxGroupEvents: 512,
  maxGroupBytes: 8 * 1024 * 1024,
  maxGroupsInFlight: 3,
  startGroupFrom: 16,
  signTimeoutMs: 1_200,
  storeTimeoutMs: 4_000,
  refuseQueuedAfterMs: 250,
  idempotencyRetentionMs: 24 * 60 * 60 * 1_000,
  idempotencyPurgeIntervalMs: 60_000,
  tailPollMs: 1_000,
};

/** Events in one request (contract: `POST /kernel/audit` takes up to 1,000). */
export const MAX_EVENTS_PER_REQUEST = 1_000;
/** UTF-8 bytes of what PostgreSQL indexes; an entry of a B-tree may have 2,704. */
export const MAX_DIVISION_BYTES = 255;
export const MAX_CALLER_BYTES = 1_024;
export const MAX_IDEMPOTENCY_KEY_BYTES = 255;
export const MAX_REQUEST_HASH_BYTES = 128;
/** A stored answer; answers hold ids and signatures, not payloads. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

export const DEFAULT_PAGE = 100;
export const MAX_PAGE = 1_000;
/** Events that a tail hands over at a time, */
export const TAIL_PAGE = 500;
/** and their canonical bytes, rounded up to a whole event: 500 events of ordinary size have a quarter of a megabyte. */
export const TAIL_PAGE_BYTES = 4 * 1024 * 1024;
/** A cached head is at most this old. */
export const RECENT_HEAD_MS = 250;
