import { setTimeout as delay } from 'node:timers/promises';
import { type AuditStreamConsumer, type StreamPosition, type StreamRecord } from '#platform/audit-stream';
import { type DataSource } from '#platform/postgres';

/** Quick enough for a test, slow enough not to spin. */
const POLL_MS = 10;

/** Reads the event store itself, as the relay would publish it. */
export class StoreConsumer implements AuditStreamConsumer {
  constructor(private readonly dataSource: DataSource) {}

  async consume(
    shard: number,
    from: StreamPosition,
    handle: (records: readonly StreamRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let seq = from.seq;
    while (!signal.aborted) {
      const rows = await this.dataSource.query<{ seq: string; canonical: Buffer }[]>(
        'SELECT seq, canonical FROM kernel.events WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT 100',
        [shard, seq],
      );
      if (rows.length > 0)
        await handle(rows.map(({ seq, canonical }) => ({ bytes: canonical, nextCursor: seq })));
      else await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
      seq = Number(rows.at(-1)?.seq ?? seq);
    }
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
