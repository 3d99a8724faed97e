import { type HighWaterMark, type LastCheckpoint, type TreeHead } from '#platform/signer';
import { type BatchStart, type MarkVerdict } from './high-water-mark';

export interface RestoreWindow {
  shard: number;
  /** The head of the database that may go on. */
  seq: number;
  /** RFC 3339 */
  until: string;
  openedBy: string;
  reason: string;
}

/** What is remembered of a shard's log. */
export interface LogState {
  /** The highest position that was signed. */
  signed: number;
  /** The last checkpoint that was signed; null before the first. */
  last: TreeHead | null;
}

/**
 * What the proxy remembers of this kernel's shards, shared by all replicas: the high-water marks and the last
 * checkpoints. It has to outlive the database that it watches: it is not kept in that database, nor restored with it.
 */
export abstract class MarkStore {
  /**
   * Judges a batch and moves the marks. What it permits is durable when it settles.
   * @throws SignerError `signing_unavailable` when marks cannot be read or kept
   */
  abstract judge(starts: readonly BatchStart[]): Promise<MarkVerdict[]>;

  /** @throws SignerError `signing_unavailable` */
  abstract marks(): Promise<HighWaterMark[]>;

  /**
   * Lets one batch start after `seq`, below the mark or ahead of what was signed, until a time.
   * @returns the mark with the window; null when nothing is refused after `seq`, so that there is nothing to open
   * @throws SignerError `signing_unavailable`
   */
  abstract open(window: RestoreWindow): Promise<HighWaterMark | null>;

  /** Last checkpoints, by shard; shards without one are left out. @throws SignerError `signing_unavailable` */
  abstract checkpoints(): Promise<LastCheckpoint[]>;

  /**
   * Lets `decide` choose the next checkpoint of a shard from what is known; no two choices are made from the same
   * state. The choice is durable when it settles.
   * @param decide returns null to leave everything as it is; what it throws is thrown on. Called again when another
   *   replica has decided meanwhile
   * @throws SignerError `signing_unavailable`
   */
  abstract checkpoint(shard: number, decide: (known: LogState) => TreeHead | null): Promise<void>;

  abstract close(): Promise<void>;
}
