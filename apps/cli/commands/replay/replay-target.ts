import { type StoredHashes, type VerifiedEvent } from '#platform/audit-stream';
import { type ReplayHead } from './event-source';

/** The end of a shard after a replay. */
export interface ReplayedHead extends ReplayHead {
  /** Where the event store ends in this shard; null when there is none to compare with. */
  readonly storeSeq: number | null;
}

/** What events are put into again. Only verified ones arrive, each shard's in order and without a gap. */
export interface ReplayTarget {
  /** For a person: `the index`. */
  readonly name: string;
  readonly origin: string;
  readonly shards: number;
  /**
   * What is added becomes visible with `finish`, all at once. Otherwise the whole source is verified before the first
   * event is added.
   */
  readonly isStaged: boolean;

  /** How far it is: what an interrupted replay has left is gone on with. */
  heads(): Promise<readonly ReplayHead[]>;

  /** @throws IntegrityFault when what is there contradicts the events */
  add(shard: number, events: readonly VerifiedEvent[]): Promise<void>;

  readonly storedHashes?: StoredHashes;

  /**
   * Everything was added. @param cursors of a source that is the stream, by shard
   * @throws IntegrityFault when the whole is not sound: nothing has become visible then
   */
  finish(cursors: ReadonlyMap<number, string>): Promise<readonly ReplayedHead[]>;

  close(): Promise<void>;
}
