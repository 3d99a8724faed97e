import { type Database } from '#platform/postgres';

/** How long a trace may go on behind the commit. */
const KEPT = '1 day';
/** Rows removed by one statement: a purge must never delay commits. */
const PURGE_BATCH = 500;

const TRACES = {
  name: 'kernel_event_traces',
  text: 'SELECT seq, traceparent FROM kernel.event_traces WHERE shard = $1 AND seq BETWEEN $2 AND $3',
};

/**
 * Traces (`traceparent`) that events of a range go on with, by position. Empty as well when the database does not say: a trace is
 * worth no failure.
 */
export async function tracesOf(
  database: Pick<Database, 'step'>,
  shard: number,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, string>> {
  const rows = await database
    .step<{ seq: string; traceparent: string }>(TRACES, [shard, from, to])
    .catch(() => []);
  return new Map(rows.map(({ seq, traceparent }) => [Number(seq), traceparent]));
}

/** Forgets what is older than a day. Several processes may purge at once. */
export async function purgeTraces(database: Pick<Database, 'query'>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const removed = await database.query(
      `DELETE FROM kernel.event_traces WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM kernel.event_traces WHERE recorded_at < clock_timestamp() - interval '${KEPT}'
         ORDER BY recorded_at LIMIT $1)) RETURNING true`,
      [PURGE_BATCH],
    );
    if (removed.length < PURGE_BATCH) return;
  }
}
