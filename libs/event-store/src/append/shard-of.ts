import { createHash } from 'node:crypto';

/**
 * The shard of a stream, for good: the first four bytes of SHA-256 over the stream's name in UTF-8, read as an
 * unsigned big-endian integer, modulo the number of shards. Whoever reads the chain can recompute it.
 */
export function shardOf(stream: string, shards: number): number {
  if (shards === 1) return 0;
  return createHash('sha256').update(stream, 'utf8').digest().readUInt32BE(0) % shards;
}
