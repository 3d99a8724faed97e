import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type StoredEvent } from '#platform/event-store';

export class GetEvent extends Query<StoredEvent> {
  constructor(
    readonly id: string,
    readonly scope: Scope,
  ) {
    super();
  }
}
