import { MAX_GROUP_EVENTS } from '#evidence';

/** Limits of the append path. Each is a default of `EventStoreOptions.limits`. */
export interface EventStoreLimits {
  /** Most requests that may wait per shard; Tessera pushes back at the same number. */
  maxQueuedRequests: number;
  /**
   * Most bytes of payload that may wait per shard: large events must not fill the heap long before the count is
   * reached.
   */
  maxQueuedBytes: number;
  /** Requests in one group. */
  maxGroupRequests: number;
  /** Events in one group, so that signing does not make everyone wait for one bulk writer. */
  maxGroupEvents: number;
  /**
   * Events that one signature may be over, 1 to MAX_GROUP_EVENTS: a group with more gets several, in one call of the
   * signer.
   */
  maxEventsPerSignature: number;
  /** Bytes of payload in one group: one statement carries them all. */
  maxGroupBytes: number;
  /** Groups numbered ahead of the one being committed, including that one. */
  maxGroupsInFlight: number;
  /**
   * So many waiting requests start a group at once; fewer wait until the previous group is signed, and more join them.
   */
  startGroupFrom: number;
  /**
   * Limit of one sign call, less the group's wait. A write answers within 2 s when the signer hangs, so this plus the
   * age below is less than that.
   */
  signTimeoutMs: number;
  /** How long a group is tried again when PostgreSQL is unreachable, and the limit of one statement. */
  storeTimeoutMs: number;
  /**
   * When a group is refused because signer or store are unreachable, requests that have waited this long are refused
   * with it: otherwise the end of a long queue would wait for one timeout per group.
   */
  refuseQueuedAfterMs: number;
  /** Age at which an idempotency key is forgotten. */
  idempotencyRetentionMs: number;
  /** Interval of the search for expired keys. */
  idempotencyPurgeIntervalMs: number;
  /** Interval at which the partitions that are due are made. */
  partitionIntervalMs: number;
  /** Interval at which a tail looks for itself, in case a notification gets lost. */
  tailPollMs: number;
}

export const DEFAULT_LIMITS: Readonly<EventStoreLimits> = {
  maxQueuedRequests: 4_096,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxGroupRequests: 256,
  maxGroupEvents: 512,
  maxEventsPerSignature: MAX_GROUP_EVENTS,
  maxGroupBytes: 8 * 1024 * 1024,
  maxGroupsInFlight: 3,
  startGroupFrom: 16,
  signTimeoutMs: 1_200,
  storeTimeoutMs: 4_000,
  refuseQueuedAfterMs: 250,
  idempotencyRetentionMs: 24 * 60 * 60 * 1_000,
  idempotencyPurgeIntervalMs: 60_000,
  partitionIntervalMs: 10_000,
  tailPollMs: 1_000,
};

/** Events in one request (contract: `POST /kernel/audit` takes up to 1,000). */
export const MAX_EVENTS_PER_REQUEST = 1_000;
/** UTF-8 bytes of an indexed value; an entry of PostgreSQL's B-tree may have 2,704. */
export const MAX_DIVISION_BYTES = 255;
export const MAX_CALLER_BYTES = 1_024;
export const MAX_IDEMPOTENCY_KEY_BYTES = 255;
export const MAX_REQUEST_HASH_BYTES = 128;
/** Largest stored answer; answers hold ids and signatures, not payloads. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

export const DEFAULT_PAGE = 100;
export const MAX_PAGE = 1_000;
/** Events that a tail returns at a time, */
export const TAIL_PAGE = 500;
/** and their canonical bytes, rounded up to a whole event: 500 events of ordinary size have a quarter of a megabyte. */
export const TAIL_PAGE_BYTES = 4 * 1024 * 1024;
/** Maximum age of a cached head. */
export const RECENT_HEAD_MS = 250;
