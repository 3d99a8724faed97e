import { isCount } from '../json/count';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';

export interface ShardPosition {
  shard: number;
  seq: number;
}

/**
 * Where a key signs, shard by shard (docs/spec/signers.md, section 1): at `after` < seq <= `until`, and not in doubt
 * before `since`.
 */
export interface KeySpan {
  /** A shard that is not listed does not exist. */
  after: readonly ShardPosition[];
  /** Null: it has not ended. */
  until: readonly ShardPosition[] | null;
  /** First position in doubt; all of a shard that is not listed. Null: nothing is. */
  since: readonly ShardPosition[] | null;
}

/** Reads the member `span` of a signer; null when it is anything else. */
export function readSpan(value: JsonValue): KeySpan | null {
  const span = exactObject(value, ['after', 'until', 'since']);
  if (span === null) return null;
  const after = readPositions(span['after'], 0);
  const until = span['until'] === null ? null : readPositions(span['until'], 0);
  const since = span['since'] === null ? null : readPositions(span['since'], 1);
  if (after === undefined || until === undefined || since === undefined || after.length === 0) return null;
  const unlisted = until?.some(({ shard }) => seqIn(after, shard) === undefined) ?? false;
  return unlisted || (until !== null && until.length !== after.length) ? null : { after, until, since };
}

/** The same span as JSON. */
export function spanJson({ after, until, since }: KeySpan): JsonObject {
  const list = (positions: readonly ShardPosition[]): JsonObject[] =>
    positions.map(({ shard, seq }) => ({ shard, seq }));
  return {
    after: list(after),
    until: until === null ? null : list(until),
    since: since === null ? null : list(since),
  };
}

/**
 * Why a key did not sign at a position, in words that follow its name; null when it did, whether in doubt or not.
 */
export function whyOutside({ after, until }: KeySpan, { shard, seq }: ShardPosition): string | null {
  const begin = seqIn(after, shard);
  if (begin === undefined) return `signs nothing in shard ${shard}`;
  if (seq <= begin) return `signs in shard ${shard} from ${begin + 1} on`;
  const end = until === null ? null : (seqIn(until, shard) ?? begin);
  return end !== null && seq > end ? `signs nothing after ${shard}:${end}` : null;
}

/** Whether what a key signed at a position may be a thief's. */
export function isInDoubt({ since }: KeySpan, { shard, seq }: ShardPosition): boolean {
  return since !== null && seq >= (seqIn(since, shard) ?? 1);
}

/** The position of a shard in a list; undefined when it is not in there. */
export function seqIn(positions: readonly ShardPosition[], shard: number): number | undefined {
  // Full lists have each shard at its own place.
  const there = positions[shard];
  return (there?.shard === shard ? there : positions.find((one) => one.shard === shard))?.seq;
}

function readPositions(value: JsonValue | undefined, least: number): ShardPosition[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const positions: ShardPosition[] = [];
  let before = -1;
  for (const entry of value) {
    const { shard, seq } = exactObject(entry, ['shard', 'seq']) ?? {};
    if (!isCount(shard, 0) || !isCount(seq, least) || shard <= before) return undefined;
    positions.push({ shard, seq });
    before = shard;
  }
  return positions;
}
