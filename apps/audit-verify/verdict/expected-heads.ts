import { type ExpectedHead } from '#evidence';
import { UsageError } from '../usage.error';

/** A head as `<hash>`, `<shard>:<seq>` or `<shard>:<seq>:<hash>`; null: it is none of them. */
export function expectedHeadOf(text: string): ExpectedHead | null {
  const match = /^(?:(\d{1,15}):(\d{1,15})(?::([0-9a-f]{64}))?|([0-9a-f]{64}))$/.exec(text);
  if (match === null) return null;
  const [, shard, seq, hashThere, hashAlone] = match;
  if (shard === undefined) return { shard: null, seq: null, hash: hashAlone ?? null };
  return { shard: Number(shard), seq: Number(seq), hash: hashThere ?? null };
}

/** The heads in a file with the answer of `GET /kernel/audit/head`. @throws UsageError */
export function expectedHeadsOf(path: string, text: string): ExpectedHead[] {
  let heads: unknown;
  try {
    heads = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--expect-head ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(heads)) throw new UsageError(`--expect-head ${path}: it must be a JSON array of heads.`);
  return heads.map((head: unknown) => {
    const { shard, seq, hash } = (head ?? {}) as { shard?: unknown; seq?: unknown; hash?: unknown };
    if (typeof shard !== 'number' || typeof seq !== 'number' || typeof hash !== 'string') {
      throw new UsageError(`--expect-head ${path}: every head needs shard, seq and hash.`);
    }
    return { shard, seq, hash };
  });
}
