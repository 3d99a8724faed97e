import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Scope, scopedDivision } from '#platform/edge';
import { EventStore } from '#platform/event-store';
import { AuditError } from './domain/audit.error';

/** Canonical event bytes, page by page, in seq order. */
export type ExportPages = AsyncIterable<readonly Uint8Array[]>;

/** A range of one shard, both ends inclusive; without an upper end, up to the head when the export began. */
export class ExportEvents extends Query<ExportPages> {
  constructor(
    readonly range: { shard: number; fromSeq: number; toSeq?: number },
    readonly scope: Scope,
  ) {
    super();
  }
}

/** Events read at a time; at ~1 KB each a page is about half a megabyte, held once per running export. */
const PAGE = 500;

@QueryHandler(ExportEvents)
export class ExportEventsHandler implements IQueryHandler<ExportEvents, ExportPages> {
  constructor(private readonly store: EventStore) {}

  async execute({ range, scope }: ExportEvents): Promise<ExportPages> {
    const head = (await this.store.heads()).find(({ shard }) => shard === range.shard);
    if (!head) throw new AuditError('unknown_shard', `There is no shard ${range.shard}.`);
    const lastSeq = Math.min(range.toSeq ?? head.seq, head.seq);
    if (range.toSeq !== undefined && range.toSeq < range.fromSeq) {
      throw new AuditError('invalid_range', `toSeq ${range.toSeq} lies before fromSeq ${range.fromSeq}.`);
    }
    return this.pages(range.shard, range.fromSeq, lastSeq, scopedDivision(scope));
  }

  private async *pages(
    shard: number,
    fromSeq: number,
    lastSeq: number,
    filter: { division?: string },
  ): AsyncGenerator<readonly Uint8Array[]> {
    let afterSeq = fromSeq - 1;
    while (afterSeq < lastSeq) {
      const page = await this.store.read(shard, { afterSeq, limit: PAGE, ...filter });
      const wanted = page.filter(({ event }) => event.seq <= lastSeq);
      if (wanted.length > 0) yield wanted.map(({ bytes }) => bytes);
      const last = page.at(-1);
      if (!last || page.length < PAGE) return;
      afterSeq = last.event.seq;
    }
  }
}
