import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { AccessError, divisionOf, type Scope, withinScope } from '#platform/edge';
import { EventStore, type StoredEvent } from '#platform/event-store';
import { AuditError } from './domain/audit.error';

export class GetEvent extends Query<StoredEvent> {
  constructor(
    readonly id: string,
    readonly scope: Scope,
  ) {
    super();
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

@QueryHandler(GetEvent)
export class GetEventHandler implements IQueryHandler<GetEvent, StoredEvent> {
  constructor(private readonly store: EventStore) {}

  async execute({ id, scope }: GetEvent): Promise<StoredEvent> {
    const stored = UUID.test(id) ? await this.store.getById(id) : null;
    if (stored === null) throw new AuditError('event_not_found', `There is no event ${id}.`);
    const division = divisionOf(stored.event.stream, stored.event.payload);
    if (!withinScope(scope, division)) {
      throw new AccessError(
        'forbidden',
        'This event does not belong to the division that the caller leads.',
        {
          division,
        },
      );
    }
    return stored;
  }
}
