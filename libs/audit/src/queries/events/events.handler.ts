import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { scopedDivision } from '#libs/access';
import { type EventPage, EventStore } from '#libs/event-store';
import { ListEvents } from './events.query';

@QueryHandler(ListEvents)
export class ListEventsHandler implements IQueryHandler<ListEvents, EventPage> {
  constructor(private readonly store: EventStore) {}

  async execute({ filter, scope }: ListEvents): Promise<EventPage> {
    return this.store.query({ ...filter, ...scopedDivision(scope) });
  }
}
