import { createHash } from 'node:crypto';
import { GOVERNANCE_SHARD } from '#evidence';

/**
 * Nouns whose streams lie in shard 0: who decides, what they decide and what it changes must be in one order and one
 * commit (docs/adr/0100-governance-has-one-order.md), and that order must be where every reader looks for it
 * (docs/adr/0141-keys-change-under-the-locks-of-all-heads.md).
 */
export const GOVERNANCE_NOUNS: ReadonlySet<string> = new Set([
  'upgrade',
  'approver_pool',
  'policy',
  'kernel',
  'signer',
  // The budget of a division, and its spenders: docs/adr/0103-divisions-in-the-order-of-governance.md.
  'division',
  'agent',
  'allocation',
]);
/**
 * Returns the permanent shard of a stream: that of governance for its nouns, otherwise the first four bytes of SHA-256
 * over the stream's name in UTF-8, read as an unsigned big-endian integer, modulo the number of shards. Any reader of
 * the chain can recompute it (docs/spec/audit-event.md, section 5).
 */
export function shardOf(stream: string, shards: number): number {
  if (shards === 1 || GOVERNANCE_NOUNS.has(stream.slice(0, stream.indexOf('/')))) return GOVERNANCE_SHARD;
  return createHash('sha256').update(stream, 'utf8').digest().readUInt32BE(0) % shards;
}
