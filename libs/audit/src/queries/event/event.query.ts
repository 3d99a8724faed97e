import { Query } from '@nestjs/cqrs';
import { type Scope } from '#libs/access';
import { type StoredEvent } from '#libs/event-store';

export class GetEvent extends Query<StoredEvent> {
  constructor(
    readonly id: string,
    readonly scope: Scope,
  ) {
    super();
  }
}
