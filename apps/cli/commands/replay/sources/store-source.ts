import { EventLog } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { registryEventsOf } from '#platform/audit-stream';
import { type EventSource, type ReplayHead, type SourceBatch } from '../event-source';

/** Some 0.7 MB. */
const PAGE = 1_000;

/** The event store itself. What is appended meanwhile is read too, until there is no more. */
export class StoreSource implements EventSource {
  readonly name = 'the event store';
  readonly isStream = false;
  private readonly log: EventLog;

  constructor(
    private readonly dataSource: DataSource,
    shards: number,
  ) {
    this.log = new EventLog({ dataSource, shards });
  }

  registryEvents(): Promise<Uint8Array[]> {
    return registryEventsOf(this.dataSource);
  }

  async count(behind: readonly ReplayHead[]): Promise<number> {
    const known = new Map(behind.map(({ shard, seq }) => [shard, seq]));
    const heads = await this.log.heads();
    return heads.reduce((sum, { shard, seq }) => sum + Math.max(0, seq - (known.get(shard) ?? 0)), 0);
  }

  async *events(behind: readonly ReplayHead[], signal: AbortSignal): AsyncGenerator<SourceBatch> {
    for (const { shard, seq } of behind) {
      let afterSeq = seq;
      // One page ahead: it is read while the one before is verified.
      let next = this.page(shard, afterSeq);
      for (;;) {
        const page = await next;
        const last = page.at(-1);
        if (last === undefined || signal.aborted) break;
        afterSeq = last.event.seq;
        next = this.page(shard, afterSeq);
        next.catch(() => undefined);
        yield { shard, records: page.map(({ bytes, event }) => ({ bytes, nextCursor: String(event.seq) })) };
      }
    }
  }

  private page(shard: number, afterSeq: number): ReturnType<EventLog['read']> {
    return this.log.read(shard, { afterSeq, limit: PAGE });
  }

  close(): Promise<void> {
    return this.log.close();
  }
}
