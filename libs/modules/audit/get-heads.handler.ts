import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { EventStore, type ShardHead } from '#platform/event-store';

/** The head of every shard. */
export class GetHeads extends Query<ShardHead[]> {}

@QueryHandler(GetHeads)
export class GetHeadsHandler implements IQueryHandler<GetHeads, ShardHead[]> {
  constructor(private readonly store: EventStore) {}

  async execute(): Promise<ShardHead[]> {
    return this.store.heads();
  }
}
