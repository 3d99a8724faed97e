/** Fills the audit index that lists and filters read. */
import { INDEX_CONSUMER, runFollower } from '#platform/audit-stream';
import { indexerConfig } from './indexer.config';
import { startIndexer } from './start-indexer';

runFollower({
  name: INDEX_CONSUMER,
  config: indexerConfig,
  start: (_, stream) => startIndexer(stream),
});
