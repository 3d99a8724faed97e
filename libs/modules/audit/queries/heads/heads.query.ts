import { Query } from '@nestjs/cqrs';
import { type ShardHead } from '#platform/event-store';

/** The head of every shard. */
export class GetHeads extends Query<ShardHead[]> {}
