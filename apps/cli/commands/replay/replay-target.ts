import { type StoredHashes, type VerifiedEvent } from '#platform/audit-stream';
import { type ReplayHead } from './event-source';

/** The end of a shard after a replay. */
export interface ReplayedHead extends ReplayHead {
  /** Last position of the event store in this shard; null when there is no store to compare with. */
  readonly storeSeq: number | null;
}

/** A target that events are written to again. Only verified ones arrive, each shard's in order and without a gap. */
export interface ReplayTarget {
  /** Name for a person: `the index`. */
  readonly name: string;
  readonly origin: string;
  readonly shards: number;
  /**
   * What is added becomes visible with `finish`, all at once. Otherwise the whole source is verified before the first
   * event is added.
   */
  readonly isStaged: boolean;

  /** How far it is: an interrupted replay is continued. */
  heads(): Promise<readonly ReplayHead[]>;

  /** @throws IntegrityFault when existing data contradicts the events */
  add(shard: number, events: readonly VerifiedEvent[]): Promise<void>;

  readonly storedHashes?: StoredHashes;

  /**
   * Ends the replay once everything was added. @param cursors of a source that is the stream, by shard
   * @throws IntegrityFault when the whole is not sound: nothing has become visible then
   */
  finish(cursors: ReadonlyMap<number, string>): Promise<readonly ReplayedHead[]>;

  close(): Promise<void>;
}
