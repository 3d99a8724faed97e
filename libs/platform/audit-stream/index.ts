/**
 * The stream of committed events from the relay to the apps that follow it: one port, Kafka or PostgreSQL behind it
 * (docs/pipeline.md), how a follower runs, and the audit index that the indexer fills. It is no source of truth: that is
 * #platform/event-store, and a follower verifies what it reads.
 */
export {
  type AuditStreamConsumer,
  type AuditStreamPublisher,
  type PublishedEvent,
  type StreamPosition,
  type StreamRecord,
} from './audit-stream';
export { AuditStreamError, type AuditStreamErrorCode } from './audit-stream.error';
export { IntegrityFault, type ShardHandler, type VerifiedEvent } from './shard-handler';
export { followerSettings, runFollower } from './follower/run-follower';
export {
  type FollowedStream,
  type Follower,
  type RunningFollower,
  startFollower,
} from './follower/start-follower';
export { ChainFollower, type ChainFollowerOptions, type StoredHashes } from './chain/chain-follower';
export { registryEventsOf } from './chain/registry-events';
export { readTrustRoot, type TrustSettings, trustSettings } from './chain/trust-root';
export { TrustedKeys, type TrustedKeysOptions } from './chain/trusted-keys';
export {
  PipelineProgress,
  type PipelineProgressOptions,
  type PipelineStage,
} from './positions/pipeline-progress';
export { PipelineDurability } from './positions/pipeline-durability';
export { type SqlSource, StreamPositions } from './positions/stream-positions';
export { openStreamConsumer, openStreamPublisher } from './open-stream';
export {
  type StreamSettings,
  streamSettings,
  type StreamTopicSettings,
  streamTopicSettings,
} from './stream-settings';
export { AuditIndex, type AuditIndexOptions, type IndexPosition } from './audit-index/audit-index';
export { IndexRebuild, type IndexRebuildOptions, type RebuiltHead } from './audit-index/index-rebuild';
export { INDEX_CONSUMER, IndexWriter, type IndexWriterOptions } from './audit-index/index-writer';
export { type DivisionOf } from './audit-index/index-rows';
export { PositionError, type PositionErrorCode, PositionReached } from './audit-index/position-reached';
