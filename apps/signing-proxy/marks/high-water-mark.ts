import { type HighWaterMark, MAX_AHEAD_OF_COMMITTED } from '#platform/signer';

/** What a batch says about one shard. */
export interface BatchStart {
  shard: number;
  /** The lowest position in the batch. */
  start: number;
  /** The highest position in the batch. */
  end: number;
  /** The position that the caller knows to be committed, below `start`; `start - 1` unless it says. */
  committed: number;
}

export type MarkVerdict =
  | { permitted: true; mark: HighWaterMark; reopened: boolean }
  | { permitted: false; mark: HighWaterMark; why: 'below_high_water_mark' | 'position_ahead' };

/** Nothing was signed in this shard, or what was is not known any more. */
export function unmarked(shard: number): HighWaterMark {
  return { shard, seq: 0, signed: 0, window: null };
}

/**
 * The highest position that can have been signed by a version that kept the mark alone: no event is signed further
 * ahead of what its caller says is committed, and the mark was as high as that.
 */
export function signedAtMost(seq: number): number {
  return seq + 1 + MAX_AHEAD_OF_COMMITTED;
}

/**
 * The rule of the high-water mark (docs/signing-proxy.md). The mark is a position on which signed events build: it is
 * committed, so a batch that starts at it or below comes from a database that has lost it, and is refused. After a
 * commit that failed, signing again starts after the mark, since the mark says only what that commit was to build on.
 *
 * What is committed was signed before: a batch that claims to build on a position that nobody had signed is refused, so
 * no single request moves the mark beyond what an honest kernel has reached.
 * @param now milliseconds since 1970
 */
export function judgeStart(
  mark: HighWaterMark,
  { start, end, committed }: BatchStart,
  now: number,
): MarkVerdict {
  const below = start <= mark.seq;
  const ahead = committed > mark.signed;
  if (!below && !ahead) {
    const seq = Math.max(mark.seq, committed);
    const signed = Math.max(mark.signed, end);
    return { permitted: true, mark: { ...mark, seq, signed }, reopened: false };
  }
  const why = below ? 'below_high_water_mark' : 'position_ahead';
  const { window } = mark;
  if (window === null || now >= Date.parse(window.until) || start <= window.seq) {
    return { permitted: false, mark, why };
  }
  if (committed > Math.max(mark.signed, window.seq)) return { permitted: false, mark, why };
  // The first batch uses the window up: from here on both follow the chain of this database.
  const seq = Math.max(window.seq, committed);
  return {
    permitted: true,
    mark: { shard: mark.shard, seq, signed: Math.max(end, window.seq), window: null },
    reopened: true,
  };
}

/** Whether a window after this position would let anything through that is refused without one. */
export function opensSomething({ seq, signed }: HighWaterMark, windowSeq: number): boolean {
  return windowSeq < seq || windowSeq > signed;
}
