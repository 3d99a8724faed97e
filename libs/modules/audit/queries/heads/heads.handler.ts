import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { EventStore, type ShardHead } from '#platform/event-store';
import { GetHeads } from './heads.query';

@QueryHandler(GetHeads)
export class GetHeadsHandler implements IQueryHandler<GetHeads, ShardHead[]> {
  constructor(private readonly store: EventStore) {}

  async execute(): Promise<ShardHead[]> {
    return this.store.heads();
  }
}
