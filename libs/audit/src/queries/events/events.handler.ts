import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { scopedDivision } from '#libs/access';
import { AuditIndex } from '#libs/audit-index';
import { type EventPage } from '#libs/event-store';
import { ListEvents } from './events.query';

/** From the index: what the indexer has not reached is not in the list yet. */
@QueryHandler(ListEvents)
export class ListEventsHandler implements IQueryHandler<ListEvents, EventPage> {
  constructor(private readonly index: AuditIndex) {}

  async execute({ filter, scope }: ListEvents): Promise<EventPage> {
    return this.index.query({ ...filter, ...scopedDivision(scope) });
  }
}
