/**
 * An append-only store of whole objects. What was put is never overwritten, shortened or deleted through it.
 *
 * Every write resolves only when the object is durable, and may be repeated: an equal object that is there already is
 * success. All methods throw ArchiveError.
 */
export interface Archive {
  /**
   * Stores the bytes exactly as they are.
   * @returns `already` when an object with the same bytes is there and as protected as this one would be
   * @throws ArchiveError `different_object` when another object is there
   */
  put(object: ArchiveObject): Promise<PutOutcome>;

  /** The same for what is no event: day manifests, reports. Its digest is computed here. */
  putDocument(key: string, bytes: Uint8Array): Promise<PutOutcome>;

  /** The bytes, or null when there is no such object. At most MAX_OBJECT_BYTES. */
  get(key: string): Promise<Uint8Array | null>;

  /**
   * What is stored, in ascending order of the keys' bytes, read as it is consumed: memory does not grow with the
   * archive. Objects that are put meanwhile may or may not be among them.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>;

  /**
   * Sets or lifts a hold that keeps the object beyond its retention. Repeating it changes nothing.
   * @throws ArchiveError `object_missing`
   */
  setLegalHold(key: string, on: boolean): Promise<void>;

  /** How long the object is kept, or null when there is none. */
  retention(key: string): Promise<Retention | null>;

  /**
   * For production: settles when objects in this archive cannot be changed or deleted before their time.
   * @throws ArchiveError `not_protected`, with everything that lacks
   */
  assertProtected(): Promise<void>;

  /** Refuses what has not begun, lets the rest end, and gives its connections back. */
  close(): Promise<void>;
}

export interface ArchiveObject {
  key: string;
  bytes: Uint8Array;
  /** Of `bytes`, 64 lower-case hex digits. */
  sha256: string;
}

export type PutOutcome = 'stored' | 'already';

export interface ListOptions {
  /** Only keys behind this one. */
  after?: string;
}

export interface ListedObject {
  key: string;
  /** Bytes. */
  size: number;
}

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE';

export interface Retention {
  /** Null when nothing keeps the object but a legal hold. */
  mode: RetentionMode | null;
  retainUntil: Date | null;
  legalHold: boolean;
}

/** Told of every operation that ended: for metrics. */
export interface ArchiveObserver {
  onOperation?(operation: FinishedOperation): void;
}

export interface FinishedOperation {
  operation: 'put' | 'get' | 'list' | 'legal_hold' | 'retention' | 'assert_protected';
  /** `ok` includes `already`; otherwise an ArchiveErrorCode. */
  outcome: string;
  /** Without the time that it waited for its turn. */
  ms: number;
}

/** Far above an event (64 KiB) and any report; bounds what one read may take. */
export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

/** Operations under way at once. Enough to hide a cloud store's latency; the rest waits its turn. */
export const DEFAULT_PARALLEL = 32;
