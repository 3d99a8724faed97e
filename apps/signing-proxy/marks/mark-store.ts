import { type HighWaterMark } from '#platform/signer';
import { type BatchStart, type MarkVerdict } from './high-water-mark';

export interface RestoreWindow {
  shard: number;
  /** The head of the restored database. */
  seq: number;
  /** RFC 3339 */
  until: string;
  openedBy: string;
  reason: string;
}

/**
 * The high-water marks of this kernel's shards, shared by all replicas of the proxy. It has to outlive the database that
 * it watches: it is not kept in that database, nor restored with it.
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
   * Lets one batch start below the mark, after `seq`, until a time.
   * @returns the mark with the window; null when the mark is not above `seq`, so that there is nothing to open
   * @throws SignerError `signing_unavailable`
   */
  abstract open(window: RestoreWindow): Promise<HighWaterMark | null>;

  abstract close(): Promise<void>;
}
