/**
 * The stream of committed events from the relay to the apps that follow it: one port with Kafka or PostgreSQL behind it
 * (docs/pipeline.md), the runner of followers, and the audit index that the indexer fills. It is not the source of
 * truth: that is #platform/event-store, and a follower verifies what it reads.
 */
export {
  type AuditStreamConsumer,
  type AuditStreamPublisher,
  type PublishedEvent,
  type StreamPosition,
  type StreamRecord,
} from './audit-stream';
export { AuditStreamError } from './audit-stream.error';
export { IntegrityFault, PositionMoved, type ShardHandler, type VerifiedEvent } from './shard-handler';
export { followerSettings, runFollower } from './follower/run-follower';
export { type FollowedStream, type RunningFollower, startFollower } from './follower/start-follower';
export { ChainFollower, type StoredHashes } from './chain/chain-follower';
export { ChainEventVerifier } from './chain/chain-event-verifier';
export { registryEventsOf } from './chain/registry-events';
export { registryOfChain } from './chain/registry-of-chain';
export { readTrustRoot, trustRootIn, trustSettings } from './chain/trust-root';
export { TrustedKeys } from './chain/trusted-keys';
export { PipelineDurability } from './positions/pipeline-durability';
export { PipelineLag, type StageLag } from './positions/pipeline-lag';
export { type ChainPlace, type SqlSource, StreamPositions } from './positions/stream-positions';
export { openStreamConsumer, openStreamPublisher } from './open-stream';
export { streamSettings, streamTopicSettings } from './stream-settings';
export { AuditIndex } from './audit-index/audit-index';
export { IndexRebuild } from './audit-index/index-rebuild';
export { INDEX_CONSUMER, IndexWriter } from './audit-index/index-writer';
export { MIN_POSITION, ReadsIndex, ReadsStore } from './audit-index/min-position';
export { PositionError, PositionReached } from './audit-index/position-reached';
