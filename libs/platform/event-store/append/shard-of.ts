import { createHash } from 'node:crypto';

/**
 * Who decides, what they decide and what it changes must be one order and one commit: the streams of these nouns share
 * a shard (docs/adr/0100-governance-has-one-order.md).
 */
const GOVERNANCE_NOUNS: ReadonlySet<string> = new Set([
  'upgrade',
  'approver_pool',
  'policy',
  'signer',
  // What a division may spend, and who in it spends it: docs/adr/0103-divisions-in-the-order-of-governance.md.
  'division',
  'agent',
  'allocation',
]);
const GOVERNANCE = 'governance';

/**
 * The shard of a stream, for good: the first four bytes of SHA-256 over the stream's name in UTF-8, read as an
 * unsigned big-endian integer, modulo the number of shards. The streams of
 * governance go by the name `governance` instead. Whoever reads the chain can recompute it.
 */
export function shardOf(stream: string, shards: number): number {
  if (shards === 1) return 0;
  const name = GOVERNANCE_NOUNS.has(stream.slice(0, stream.indexOf('/'))) ? GOVERNANCE : stream;
  return createHash('sha256').update(name, 'utf8').digest().readUInt32BE(0) % shards;
}
