import { queryOptions } from '@tanstack/react-query';
import { answered, answeredText, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { whileAttended } from '../../api/attention';
import { type PublishedHead } from './published-head';

const LAG_EVERY_MS = 15_000;
/** How far back an event is looked for whose receipt shows the newest checkpoint. */
const LOOK_BACK_MS = 60_000;

interface Head {
  readonly shard: number;
  readonly seq: number;
  readonly ts: string | null;
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
      const text = await answeredText(`/kernel/audit/${event.id}/receipt`, signal);
      // Later than the first page: it comes with a good part of the evidence library.
      const { publishedHeadOf } = await import('./published-head');
      return publishedHeadOf(text);
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    }
  }
  return null;
}
