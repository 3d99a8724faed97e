import { parseLogProof } from '#evidence';

/** The newest checkpoint of a shard's log. */
export interface PublishedHead {
  readonly shard: number;
  /** Leaves of the newest checkpoint: the position up to which events are published. */
  readonly size: number;
  /** Names of those who signed it besides the kernel. */
  readonly witnesses: readonly string[];
  /** When the youngest cosignature was made. */
  readonly cosignedAt: string | null;
}

/**
 * Reads what the checkpoint of a receipt says of the published log.
 * @throws EvidenceError when the text is no receipt
 */
export function publishedHeadOf(text: string): PublishedHead {
  const { checkpoint } = parseLogProof(text);
  const own = `${checkpoint.origin}/log/${checkpoint.shard}`;
  const others = checkpoint.signatures.filter(({ name }) => name !== own);
  const times = others.flatMap(({ signature }) => {
    // Cosignature v1: 8 bytes of POSIX seconds, then the signature (c2sp.org/tlog-cosignature).
    if (signature.length !== 72) return [];
    return [Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0))];
  });
  const youngest = Math.max(...times);
  return {
    shard: checkpoint.shard,
    size: checkpoint.size,
    witnesses: others.map(({ name }) => name),
    cosignedAt: times.length === 0 ? null : new Date(youngest * 1_000).toISOString(),
  };
}
