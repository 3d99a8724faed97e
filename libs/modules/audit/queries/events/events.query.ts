import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type EventPage } from '#platform/event-store';

export interface EventFilter {
  stream?: string;
  type?: string;
  actor?: string;
  /** RFC 3339, inclusive. */
  from?: string;
  /** RFC 3339, exclusive. */
  to?: string;
  cursor?: string;
  limit: number;
}

/** One page of events, oldest first. */
export class ListEvents extends Query<EventPage> {
  constructor(
    readonly filter: EventFilter,
    readonly scope: Scope,
  ) {
    super();
  }
}
