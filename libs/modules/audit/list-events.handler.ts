import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { divisionAsked, type Scope } from '#platform/edge';
import { AuditIndex } from '#platform/audit-stream';
import { type EventPage, type IndexFilters } from '#platform/event-store';

export interface EventFilter extends IndexFilters {
  stream?: string;
  type?: string;
  actor?: string;
  division?: string;
  /** RFC 3339, inclusive. */
  from?: string;
  /** RFC 3339, exclusive. */
  to?: string;
  /** Default `oldest`. */
  order?: 'oldest' | 'newest';
  cursor?: string;
  limit: number;
}

/** One page of events, in the order that was asked for. */
export class ListEvents extends Query<EventPage> {
  constructor(
    readonly filter: EventFilter,
    readonly scope: Scope,
  ) {
    super();
  }
}

/** Reads the index: events that the indexer has not reached are not in the list yet. */
@QueryHandler(ListEvents)
export class ListEventsHandler implements IQueryHandler<ListEvents, EventPage> {
  constructor(private readonly index: AuditIndex) {}

  async execute({ filter: { division, ...filter }, scope }: ListEvents): Promise<EventPage> {
    return this.index.query({ ...filter, ...divisionAsked(scope, division ?? null) });
  }
}
