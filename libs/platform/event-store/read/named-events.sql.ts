/**
 * Things that payloads can name: an event, in `because`, or an upgrade, in `upgradeId`, after a position of its own.
 */
export type Named =
  | { readonly because: string }
  | { readonly upgradeId: string; readonly shard: number; readonly afterSeq: number };

/**
 * Returns text, so planned each time: the plan depends on how many events name anything at all. The first condition is
 * that of the index, which contains no others.
 */
export function namedEvents(named: Named, limit: number): { text: string; values: unknown[] } {
  const select = (condition: string) => `
    SELECT e.canonical FROM kernel_index.events e
    WHERE e.payload ?| ARRAY['because', 'upgradeId'] AND ${condition}
    ORDER BY e.ts, e.shard, e.seq LIMIT $1`;
  if ('because' in named) {
    const because = JSON.stringify([{ eventId: named.because }]);
    return { text: select(`e.payload -> 'because' @> $2::jsonb`), values: [limit, because] };
  }
  const { upgradeId, shard, afterSeq } = named;
  return {
    text: select(
      `e.payload -> 'upgradeId' @> $2::jsonb AND e.stream NOT LIKE 'upgrade/%' AND e.shard = $3 AND e.seq > $4`,
    ),
    values: [limit, JSON.stringify(upgradeId), shard, afterSeq],
  };
}
