import { queryOptions } from '@tanstack/react-query';
import { answered, api } from '../../api/client';
import { type AuditEvent } from '../../api/queries';
import { eventAt } from '../audit/event-queries';
import { type Since } from './since';

const SHOWN = 200;
/** As the kernel: in the other shards a position's doubt begins this long before its time, for clocks that were apart. */
const APART_MS = 2 * 3_600_000;

export interface Doubt {
  readonly events: readonly AuditEvent[];
  readonly isMore: boolean;
  /** Time from which the index was asked; null: from the beginning. */
  readonly from: string | null;
}

/** Events that a key has signed since a moment, one page: what its end would put in doubt. */
export function doubtQuery(kid: string, since: Since) {
  return queryOptions({
    queryKey: ['keys', 'doubt', kid, since],
    queryFn: async ({ signal }): Promise<Doubt> => {
      const from = 'ts' in since ? since.ts : await timeOf(since, signal);
      const query = { signerKid: kid, limit: SHOWN, ...(from !== null && { from }) };
      const { events, nextCursor } = await answered(api.GET('/kernel/audit', { params: { query }, signal }));
      const doubtful = events.filter(
        ({ shard, seq }) => 'ts' in since || shard !== since.shard || seq >= since.seq,
      );
      return { events: doubtful, isMore: nextCursor !== null, from };
    },
  });
}

/** From when the index has to be asked about a position; null where the position is not there. */
async function timeOf(
  { shard, seq }: { shard: number; seq: number },
  signal: AbortSignal,
): Promise<string | null> {
  const event = await eventAt(shard, seq);
  signal.throwIfAborted();
  return event === null ? null : new Date(Date.parse(event.ts) - APART_MS).toISOString();
}
