import { queryOptions } from '@tanstack/react-query';
import { isAttended } from '../../api/attention';
import { answered, answeredText, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { type AuditEvent } from '../../api/queries';
import { readBefore } from './before';
import { type Filters } from './filters';

export const PAGE = 50;

/** Events that match, newest first unless the oldest are asked for, one page; from the index. */
export function eventsQuery({ cursor, order, ...filters }: Filters) {
  return queryOptions({
    queryKey: ['events', 'found', filters, order, cursor],
    queryFn: ({ signal }) => {
      const query = {
        ...filters,
        order: order ?? ('newest' as const),
        ...(cursor !== undefined && { cursor }),
        limit: PAGE,
      };
      return answered(api.GET('/kernel/audit', { params: { query }, signal }));
    },
  });
}

export interface NewestPage {
  /** Newest first. */
  readonly events: readonly AuditEvent[];
  /** Where the page before this one ends; null at the beginning of the chain. */
  readonly nextCursor: string | null;
}

/** The newest events of every shard, or those before a place; from the event store. */
export function newestQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['events', 'newest', cursor],
    queryFn: async ({ signal }): Promise<NewestPage> => {
      const heads = await answered(api.GET('/kernel/audit/head', { signal }));
      const asked = readBefore(cursor);
      const ends = heads.map(({ shard, seq }) => ({ shard, to: Math.min(asked?.get(shard) ?? seq, seq) }));
      const each = Math.max(10, Math.ceil(PAGE / heads.length));
      const ranges = ends
        .filter(({ to }) => to >= 1)
        .map(({ shard, to }) => ({ shard, from: Math.max(1, to - each + 1), to }));
      const pages = await Promise.all(ranges.map((range) => rangeOf(range, signal)));
      const events = pages.flat().sort((a, b) => (a.ts === b.ts ? b.seq - a.seq : a.ts < b.ts ? 1 : -1));
      const rest = ranges.map(({ shard, from }) => `${shard}:${from - 1}`);
      const isAll = ranges.every(({ from }) => from === 1);
      return { events, nextCursor: isAll ? null : rest.join(',') };
    },
  });
}

async function rangeOf(
  { shard, from, to }: { shard: number; from: number; to: number },
  signal: AbortSignal,
): Promise<AuditEvent[]> {
  const path = `/kernel/audit/export?shard=${shard}&fromSeq=${from}&toSeq=${to}`;
  return eventsOf(await answeredText(path, signal));
}

function eventsOf(lines: string): AuditEvent[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent);
}

/** The event at a position; null where there is none. */
export async function eventAt(shard: number, seq: number): Promise<AuditEvent | null> {
  return eventsOf((await eventTextAt(shard, seq)) ?? '')[0] ?? null;
}

/** The canonical text of the event at a position; null where there is none. */
export async function eventTextAt(shard: number, seq: number, signal?: AbortSignal): Promise<string | null> {
  const path = `/kernel/audit/export?shard=${shard}&fromSeq=${seq}&toSeq=${seq}`;
  const [line = ''] = (await answeredText(path, signal)).split('\n', 1);
  return line === '' ? null : line;
}

/** One event as the kernel has it: its canonical bytes, and what they say. */
export function eventQuery(id: string) {
  return queryOptions({
    queryKey: ['events', 'one', id],
    queryFn: async ({ signal }) => {
      const text = await answeredText(`/kernel/audit/${encodeURIComponent(id)}`, signal);
      return { text, event: JSON.parse(text) as AuditEvent };
    },
    staleTime: Infinity,
  });
}

const UNPUBLISHED_EVERY_MS = 5_000;

/** The proof that an event is in the published log; while it is not there yet, it is asked for again. */
export function receiptQuery(id: string) {
  return queryOptions({
    queryKey: ['events', 'receipt', id],
    queryFn: ({ signal }) => answeredText(`/kernel/audit/${encodeURIComponent(id)}/receipt`, signal),
    refetchInterval: ({ state }) => isUnpublished(state.error) && isAttended() && UNPUBLISHED_EVERY_MS,
  });
}

export function isUnpublished(error: unknown): boolean {
  return error instanceof ApiProblem && error.word === 'not_in_log_yet';
}
