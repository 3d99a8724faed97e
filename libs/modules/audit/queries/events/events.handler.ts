import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { scopedDivision } from '#platform/edge';
import { AuditIndex } from '#platform/audit-stream';
import { type EventPage } from '#platform/event-store';
import { ListEvents } from './events.query';

/** From the index: what the indexer has not reached is not in the list yet. */
@QueryHandler(ListEvents)
export class ListEventsHandler implements IQueryHandler<ListEvents, EventPage> {
  constructor(private readonly index: AuditIndex) {}

  async execute({ filter, scope }: ListEvents): Promise<EventPage> {
    return this.index.query({ ...filter, ...scopedDivision(scope) });
  }
}
