import { type HighWaterMark } from '#platform/signer';

/** What a batch says about one shard. */
export interface BatchStart {
  shard: number;
  /** The lowest position in the batch. */
  start: number;
  /** The position that the caller knows to be committed; `start - 1` unless it says. */
  committed: number;
}

export type MarkVerdict =
  { permitted: true; mark: HighWaterMark; reopened: boolean } | { permitted: false; mark: HighWaterMark };

export function unmarked(shard: number): HighWaterMark {
  return { shard, seq: 0, window: null };
}

/**
 * The rule of the high-water mark (docs/signing-proxy.md). The mark is a position on which signed events build: it is
 * committed, so a batch that starts at it or below comes from a database that has lost it, and is refused. After a
 * commit that failed, signing again starts after the mark, since the mark says only what that commit was to build on.
 * @param now milliseconds since 1970
 */
export function judgeStart(mark: HighWaterMark, { start, committed }: BatchStart, now: number): MarkVerdict {
  if (start > mark.seq) {
    const seq = Math.max(mark.seq, committed);
    return { permitted: true, mark: { ...mark, seq }, reopened: false };
  }
  const { window } = mark;
  if (window === null || now >= Date.parse(window.until) || start <= window.seq) {
    return { permitted: false, mark };
  }
  // The first batch uses the window up: from here on the mark follows the restored chain.
  const seq = Math.max(window.seq, committed);
  return { permitted: true, mark: { shard: mark.shard, seq, window: null }, reopened: true };
}
