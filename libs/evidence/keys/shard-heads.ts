import { genesisHash } from '../chain/origin';
import { HEX_SHA256 } from '../chain/audit-event';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';

/** Last event of a shard at some moment; `seq` 0 with the genesis hash when the shard was empty. */
export interface StatedHead {
  shard: number;
  seq: number;
  /** Hex. */
  hash: string;
}

/**
 * Most shards that a kernel may have: the statement that a key is compromised names each with its head, the start of the
 * doubt and a re-attested range, some 350 bytes of the 65,535 that an event may have.
 */
export const MAX_SHARDS = 128;

export function isShardCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= MAX_SHARDS;
}

/**
 * The heads that a signer event states (docs/spec/signers.md, section 4): every shard once, in ascending order; that
 * of shard 0 is the event's own predecessor.
 * @returns null and the reason when the value is anything else
 */
export function readHeads(
  value: JsonValue | undefined,
  shards: number,
  predecessor: { seq: number; hash: string },
): { heads: readonly StatedHead[] } | { heads: null; reason: string } {
  const refuse = (reason: string): { heads: null; reason: string } => ({ heads: null, reason });
  if (!Array.isArray(value)) return refuse('heads is missing: the head of every shard');
  if (value.length !== shards) return refuse(`heads must name each of the ${shards} shards once`);
  const heads: StatedHead[] = [];
  for (const [shard, entry] of value.entries()) {
    const { seq, hash, shard: named } = exactObject(entry, ['shard', 'seq', 'hash']) ?? {};
    if (named !== shard) return refuse(`entry ${shard} of heads must be the head of shard ${shard}`);
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) {
      return refuse(`the seq of shard ${shard} in heads must be an integer from 0`);
    }
    if (typeof hash !== 'string' || !HEX_SHA256.test(hash)) {
      return refuse(`the hash of shard ${shard} in heads must be 64 lower-case hexadecimal digits`);
    }
    heads.push({ shard, seq, hash });
  }
  const [own] = heads;
  if (own?.seq !== predecessor.seq || own.hash !== predecessor.hash) {
    return refuse(`the head of shard 0 must be the event before this one, ${predecessor.seq}`);
  }
  return { heads };
}

/** The heads of a kernel in which nothing is recorded yet, as the founding events state them. */
export function emptyHeads(origin: string, shards: number): StatedHead[] {
  return Array.from({ length: shards }, (_, shard) => ({
    shard,
    seq: 0,
    hash: genesisHash(origin, shard),
  }));
}

/** The payload member `heads`. */
export function headsPayload(heads: readonly StatedHead[]): JsonObject[] {
  return heads.map(({ shard, seq, hash }) => ({ shard, seq, hash }));
}
