import { type Actor, type AuditEvent, type JsonObject } from '#evidence';
import { type EventStoreErrorCode } from './event-store.error';
import { type Behind } from './event-store.ports';
import { type RowFault } from './integrity/row-fault';
import { type PostgresError } from '#platform/postgres';

/** The store's interface to the holder of the keys. */
export abstract class EventSigner {
  /**
   * Key id of the active audit key; the event contains it, and its hash covers it.
   * @param after the key that signed the event before, when the store knows it: the signer never returns to an earlier
   * one
   */
  abstract activeKid(after: string | null): Promise<string> | string;
  /**
   * The keys have changed: looks them up again. Settles when `activeKid` knows everything that was committed before the
   * call; rejects when they cannot be looked up, and then nothing is signed. Without it, the keys never change.
   */
  lookUpKeys?(): Promise<void>;
  /**
   * Base64 Ed25519 signatures, one for each input, in order. Throwing refuses the group as `signing_unavailable`; an
   * EventStoreError `store_behind` says that events were already built on a position after these.
   * @param known `committed`: the position of the shard that is known to be in the store
   */
  abstract sign(kid: string, inputs: Uint8Array[], known: { committed: number }): Promise<string[]>;
}

export interface NewEvent {
  /** UUIDv7; made by the store when left out. */
  id?: string;
  /** `<noun>.<past participle>` */
  type: string;
  /**
   * A registry event (docs/spec/signers.md, section 3) gets the member `heads` at its commit: the head of every shard,
   * taken while no shard can move.
   */
  payload: JsonObject;
  /** Division of the event: for scoped reading, not part of the event's bytes. */
  division?: string | null;
}

export interface StreamWrite {
  /** `<aggregate>/<id>` */
  stream: string;
  /** The version that the decision was based on; 0 when the stream must be new; `any` takes the next one. */
  expectedVersion: number | 'any';
  events: readonly NewEvent[];
}

export interface StreamVersion {
  stream: string;
  /** 0: it must not exist. */
  version: number;
}

export interface AppendRequest {
  actor: Actor;
  /** Skips `EventStoreOptions.mayAppend`: for the kernel's own record of what that depends on. */
  whateverTheMode?: boolean;
  correlationId?: string | null;
  causationId?: string | null;
  /** Committed in this order, all or none. A stream may come more than once; a later write sees the earlier one. */
  writes: readonly StreamWrite[];
  /**
   * Streams that the decision was based on without writing to them: each must still be at this version when the request
   * is committed, or it is refused with `version_conflict`. In the shard of the writes.
   */
  requires?: readonly StreamVersion[];
  /**
   * The fence of the keys that the decision was based on (`EventStore.keyFence`): refused with `version_conflict` when
   * they have changed since.
   */
  keysAsOf?: number;
  idempotency?: {
    caller: string;
    key: string;
    /** Says whether a repeated key is the same request; any text of at most 128 characters. */
    requestHash: string;
    /** Pure: it may be called again when a group has to be numbered again. Stored in the same transaction. */
    answer: (committed: readonly StoredEvent[]) => { status: number; body: Uint8Array };
  };
}

export interface StoredEvent {
  readonly event: AuditEvent;
  /** Canonical bytes: what was hashed, signed and stored. */
  readonly bytes: Uint8Array;
}

export interface Answer {
  status: number;
  body: Uint8Array;
}

export interface StoredAnswer extends Answer {
  requestHash: string;
}

export type AppendResult =
  | {
      replayed: false;
      events: StoredEvent[];
      /** `"<shard>:<seq>"` of the last event. */
      position: string;
      answer?: Answer;
    }
  | { replayed: true; answer: Answer };

export interface ShardHead {
  shard: number;
  /** 0 when the shard is empty. */
  seq: number;
  /** Hex; the genesis value when the shard is empty. */
  hash: string;
  /** Time of the last event; null when the shard is empty. */
  ts: string | null;
}

/** Events of a shard that one key signed. */
export interface SignedRange {
  shard: number;
  from: { seq: number; hash: string };
  to: { seq: number; hash: string };
  /** Number of events in between, ends included, that the key signed. */
  count: number;
}

export interface EventQuery {
  stream?: string;
  type?: string;
  /** Actor id. */
  actor?: string;
  division?: string;
  /** RFC 3339, inclusive. */
  from?: string;
  /** RFC 3339, exclusive. */
  to?: string;
  /** Default `oldest`. */
  order?: 'oldest' | 'newest';
  /** `nextCursor` of the page before; only with the same filters and order. */
  cursor?: string;
  /** 1 to 1,000; default 100. */
  limit?: number;
}

/** What the audit index finds beyond the filters of the event store (docs/adr/0173). */
export interface IndexFilters {
  /** Hex SHA-256 of a manifest: its signatures. */
  sha256?: string;
  /** Key that signed the event itself. */
  signerKid?: string;
  correlationId?: string;
  /** How the stream begins: an aggregate with its slash, then any beginning of an id. */
  subject?: string;
}

export type IndexQuery = EventQuery & IndexFilters;

export interface EventPage {
  events: StoredEvent[];
  /** Null on the last page. */
  nextCursor: string | null;
}

/** Conditions of a search on the events of a query beyond those of the query. */
export interface EventSearch<T> {
  /** Result of each event, in their order; null: not a match. */
  readonly select: (events: readonly StoredEvent[]) => Promise<(T | null)[]>;
  /** Text that identifies the question of `select`: a cursor continues only the same question. */
  readonly asks: string;
  /** Most events examined for one page. */
  readonly examine: number;
}

/** One committed group. Times in milliseconds. */
export interface BatchReport {
  shard: number;
  /** Number of requests committed in it. */
  size: number;
  events: number;
  /** Number of requests that still wait. */
  queueDepth: number;
  /** Optimistic: head compared and set; locked: the head row was locked first. */
  mode: 'optimistic' | 'locked';
  readMs: number;
  hashMs: number;
  signMs: number;
  commitMs: number;
  totalMs: number;
  /** One of the traces that this process records of its requests; undefined mostly. */
  traceId: string | undefined;
}

/** Why a group was numbered again. */
export type RetryReason =
  'head_moved' | 'keys_changed' | 'predecessor_failed' | 'unique_violation' | 'no_partition' | 'store_error';

/** Number of events that the existing partitions of a shard still have room for. */
export interface PartitionRoom {
  readonly shard: number;
  readonly room: number;
  /** Events in one partition. */
  readonly size: number;
}

/** Observer for metrics. Must not throw. */
export interface EventStoreObserver {
  onBatch?(report: BatchReport): void;
  /** Time from `append` to its answer, committed requests only; with the trace that this process records of it. */
  onAppend?(ms: number, traceId: string | undefined): void;
  onRefusal?(code: EventStoreErrorCode): void;
  onRetry?(reason: RetryReason, requests: number): void;
  /** The store ends before a position on which events were already built: it was restored to an older state. */
  onBehind?(behind: Behind): void;
  /** A row of the database is not what this kernel wrote. */
  onIntegrity?(fault: RowFault): void;
  /** Room in the partitions of each shard, and why more could not be made. Every few seconds. */
  onPartitions?(rooms: readonly PartitionRoom[], failure: PostgresError | null): void;
  /** How far this process's clock is ahead of the database server's; negative when it is behind. Every few seconds. */
  onClock?(aheadMs: number): void;
}
