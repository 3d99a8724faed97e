import {
  type FollowedStream,
  INDEX_CONSUMER,
  IndexWriter,
  type RunningFollower,
  startFollower,
} from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';

/** Follows the stream in every shard, and puts verified events into the audit index. */
export function startIndexer(stream: FollowedStream): Promise<RunningFollower> {
  const { dataSource, origin } = stream;
  const handler = new IndexWriter({ dataSource, origin, divisionOf });
  return startFollower(stream, { name: INDEX_CONSUMER, handler, storedHashes: handler.storedHashes });
}
