import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { assertOwn, divisionOf, type Scope } from '#platform/edge';
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

  execute({ id, scope }: GetEvent): Promise<StoredEvent> {
    return existingEvent(this.store, id, scope);
  }
}

/** The event, if the caller may see it. @throws AuditError `event_not_found` */
export async function existingEvent(store: EventStore, id: string, scope: Scope): Promise<StoredEvent> {
  const stored = UUID.test(id) ? await store.getById(id) : null;
  if (stored === null) throw new AuditError('event_not_found', `There is no event ${id}.`);
  assertOwn(scope, divisionOf(stored.event.stream, stored.event.payload), 'This event');
  return stored;
}
