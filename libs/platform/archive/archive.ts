/**
 * An append-only store of whole objects. It never overwrites, shortens or deletes what was put; only what was written
 * with `replace` changes.
 *
 * Every write resolves only when the object is durable, and may be repeated: an equal object that already exists is
 * success. All methods throw ArchiveError.
 */
export interface Archive {
  /**
   * Stores the bytes exactly as they are.
   * @returns `already` when an object with the same bytes exists and is as protected as this one would be
   * @throws ArchiveError `different_object` when another object exists
   */
  put(object: ArchiveObject): Promise<PutOutcome>;

  /** Stores what is not an event: day manifests, reports. Computes the digest itself. */
  putDocument(key: string, bytes: Uint8Array): Promise<PutOutcome>;

  /**
   * Writes the one kind of object that changes, the newest statement about what was put (a checkpoint): as a whole, so
   * that a reader sees the bytes before or these. Never locked.
   */
  replace(object: ReplacedObject): Promise<void>;

  /** The bytes, or null when there is no such object. At most MAX_OBJECT_BYTES. */
  get(key: string): Promise<Uint8Array | null>;

  /**
   * Lists what is stored, in ascending order of the keys' bytes, read as it is consumed: memory does not grow with the
   * archive. Objects that are put meanwhile may or may not be among them.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>;

  /**
   * Sets or lifts a hold that keeps the object beyond its retention. Repeating it changes nothing.
   * @throws ArchiveError `object_missing`
   */
  setLegalHold(key: string, on: boolean): Promise<void>;

  /** Retention of the object, or null when there is none. */
  retention(key: string): Promise<Retention | null>;

  /**
   * What was ever stored under a key, from the newest on, delete markers included: to explain an object that is not the one
   * that was archived. At most MAX_VERSIONS.
   */
  versions(key: string): Promise<ObjectVersion[]>;

  /**
   * One look whether the store answers at all, beside the operations that run; what it answers to them is their matter.
   * @throws ArchiveError `unavailable`, `bucket_missing`
   */
  reach(signal: AbortSignal): Promise<void>;

  /**
   * Settles when objects in this archive cannot be changed or deleted before their time: for production.
   * @throws ArchiveError `not_protected`, with everything that is missing
   */
  assertProtected(): Promise<void>;

  /** Refuses operations that have not begun, lets the others end, and releases its connections. */
  close(): Promise<void>;
}

export interface ArchiveObject {
  key: string;
  bytes: Uint8Array;
  /** SHA-256 of `bytes`, 64 lower-case hex digits. */
  sha256: string;
  /** False for what another object will make superfluous: it is written once too, but not locked. Default true. */
  locked?: boolean;
  /** How a web server in front of a bucket announces the object. Default application/json. */
  served?: ServedAs;
}

export interface ReplacedObject {
  key: string;
  bytes: Uint8Array;
  served?: ServedAs;
}

/** Headers that S3 keeps with an object and answers with it; a folder has no place for them. */
export interface ServedAs {
  contentType: string;
  cacheControl: string;
}

/** A version of an object, or the marker of its deletion. */
export interface ObjectVersion {
  id: string;
  storedAt: Date | null;
  /** SHA-256 of its bytes, hex; null for a delete marker. */
  sha256: string | null;
}

export type PutOutcome = 'stored' | 'already';

export interface ListOptions {
  /** Only keys after this one. */
  after?: string;
}

export interface ListedObject {
  key: string;
  /** Bytes. */
  size: number;
}

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE';

export interface Retention {
  /** Null when only a legal hold keeps the object. */
  mode: RetentionMode | null;
  retainUntil: Date | null;
  legalHold: boolean;
}

/** Told of every operation that ended: for metrics. */
export interface ArchiveObserver {
  onOperation?(operation: FinishedOperation): void;
}

export interface FinishedOperation {
  operation:
    'put' | 'replace' | 'get' | 'list' | 'legal_hold' | 'retention' | 'versions' | 'assert_protected';
  /** `ok` includes `already`; otherwise an ArchiveErrorCode. */
  outcome: string;
  /** Duration without the wait for its turn. */
  ms: number;
}

/** Far above an event (64 KiB) and any report; limits what one read may take. */
export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** Concurrent operations. Enough to hide a cloud store's latency; the rest wait their turn. */
export const DEFAULT_PARALLEL = 32;

/** Versions of one object that are looked at; an archived object has one. */
export const MAX_VERSIONS = 20;
