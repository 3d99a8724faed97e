import { base64Decode, emptyRoot, isConsistent } from '#evidence';
import { type TreeHead } from '#platform/signer';
import { type LogState } from '../marks/mark-store';
import { SigningRefusal } from '../refusal';

/** Proof that a tree only appends to the one of size `from` (RFC 9162 section 2.1.4); hashes in base64. */
export interface Consistency {
  from: number;
  hashes: readonly string[];
}

export interface CheckpointAsked extends TreeHead {
  shard: number;
  /** Null for the first checkpoint of a shard, or for the last one once more. */
  consistency: Consistency | null;
}

/** Root of the tree without leaves (RFC 9162 section 2.1.1). */
const EMPTY_ROOT = Buffer.from(emptyRoot()).toString('base64');

/**
 * The rule of checkpoints (docs/signing-proxy.md): a log only grows. Of each size there is one root, a larger one
 * continues exactly the last one that was signed, and none is longer than what was signed of the shard.
 * @throws SigningRefusal `checkpoint_conflict`, `beyond_committed`, `invalid_consistency`
 */
export function assertContinues({ signed, last }: LogState, asked: CheckpointAsked): void {
  const { shard, size, root, consistency } = asked;
  if (last !== null && size <= last.size) {
    if (size === last.size && root === last.root) return;
    throw new SigningRefusal(
      'checkpoint_conflict',
      size === last.size
        ? `The log of shard ${shard} has another root at size ${size}: this is a fork, and one of the two is not what was published`
        : `The log of shard ${shard} has ${last.size} entries already, not ${size}: was it put back to an older state?`,
      last,
    );
  }
  if (size > signed) {
    throw new SigningRefusal(
      'beyond_committed',
      `The log of shard ${shard} cannot have ${size} entries: the highest position signed here is ${shard}:${signed}`,
      { signed: { shard, seq: signed } },
    );
  }
  if (size === 0 && root !== EMPTY_ROOT) {
    throw new SigningRefusal('invalid_consistency', 'The root of an empty log is the SHA-256 of nothing');
  }
  if (last === null) return;
  if (consistency?.from !== last.size) {
    throw new SigningRefusal(
      'checkpoint_conflict',
      `The last checkpoint of shard ${shard} has size ${last.size}: show by a proof from there that this one continues it`,
      last,
    );
  }
  const proof = consistency.hashes.map(bytesOf);
  const before = { size: last.size, root: bytesOf(last.root) };
  if (isConsistent(before, { size, root: bytesOf(root) }, proof)) return;
  throw new SigningRefusal(
    'invalid_consistency',
    `The proof does not lead from the last checkpoint of shard ${shard} (size ${last.size}) to this one: the log would not only grow`,
    last,
  );
}

function bytesOf(base64: string): Uint8Array {
  const bytes = base64Decode(base64);
  if (bytes?.length === 32) return bytes;
  throw new SigningRefusal('malformed_request', 'A hash is 32 bytes in base64 (RFC 4648 section 4)');
}
