import { createHash } from 'node:crypto';

/**
 * Nouns whose streams share a shard: who decides, what they decide and what it changes must be in one order and one
 * commit (docs/adr/0100-governance-has-one-order.md).
 */
const GOVERNANCE_NOUNS: ReadonlySet<string> = new Set([
  'upgrade',
  'approver_pool',
  'policy',
  'signer',
  // The budget of a division, and its spenders: docs/adr/0103-divisions-in-the-order-of-governance.md.
  'division',
  'agent',
  'allocation',
]);
const GOVERNANCE = 'governance';

/**
 * Returns the permanent shard of a stream: the first four bytes of SHA-256 over the stream's name in UTF-8, read as an
 * unsigned big-endian integer, modulo the number of shards. The streams of governance use the name `governance`
 * instead. Any reader of the chain can recompute it.
 */
export function shardOf(stream: string, shards: number): number {
  if (shards === 1) return 0;
  const name = GOVERNANCE_NOUNS.has(stream.slice(0, stream.indexOf('/'))) ? GOVERNANCE : stream;
  return createHash('sha256').update(name, 'utf8').digest().readUInt32BE(0) % shards;
}
