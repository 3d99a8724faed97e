import { queryOptions } from '@tanstack/react-query';
// Past the index of #evidence: with it, the first page would load whatever of it any screen uses.
import { parseLogProof } from '../../../../libs/evidence/log/log-proof';
import { answered, answeredText, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { whileAttended } from '../../api/attention';

const LAG_EVERY_MS = 15_000;
/** How far back an event is looked for whose receipt shows the newest checkpoint. */
const LOOK_BACK_MS = 60_000;

interface Head {
  readonly shard: number;
  readonly seq: number;
  readonly ts: string | null;
}

export interface PublishedHead {
  readonly shard: number;
  /** Leaves of the newest checkpoint: the position up to which events are published. */
  readonly size: number;
  /** Names of those who signed it besides the kernel. */
  readonly witnesses: readonly string[];
  /** When the youngest cosignature was made. */
  readonly cosignedAt: string | null;
}

/** The newest checkpoint of a shard's log, as a receipt shows it; null: no recent event has one. */
export function publishedQuery(head: Head) {
  return queryOptions({
    queryKey: ['published', head.shard],
    queryFn: ({ signal }) => publishedHead(head, signal),
    refetchInterval: whileAttended(LAG_EVERY_MS),
    enabled: head.ts !== null,
  });
}

async function publishedHead({ shard, ts }: Head, signal: AbortSignal): Promise<PublishedHead | null> {
  const from = new Date(Date.parse(ts ?? '') - LOOK_BACK_MS).toISOString();
  const { events } = await answered(
    api.GET('/kernel/audit', { params: { query: { from, limit: 200 } }, signal }),
  );
  const own = events.filter((event) => event.shard === shard);
  // The newest first; the oldest where that is not published yet. Each receipt is up to the newest checkpoint.
  for (const event of [own.at(-1), own.at(0)]) {
    if (event === undefined) continue;
    try {
      return readReceipt(await answeredText(`/kernel/audit/${event.id}/receipt`, signal));
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    }
  }
  return null;
}

function readReceipt(text: string): PublishedHead {
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
