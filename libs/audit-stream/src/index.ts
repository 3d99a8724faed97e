/** The stream of committed events from the relay to the workers: one port, Kafka or PostgreSQL behind it (docs/pipeline.md). */
export {
  type AuditStreamConsumer,
  type AuditStreamPublisher,
  type PublishedEvent,
  type StreamPosition,
  type StreamRecord,
} from './audit-stream';
export { AuditStreamError, type AuditStreamErrorCode } from './audit-stream.error';
export { IntegrityFault, PositionMoved, type ShardHandler, type VerifiedEvent } from './shard-handler';
export { ApplyAuditEvents, StoredAuditPosition } from './nest/audit-events.decorators';
export {
  type AuditEventsBatch,
  type AuditShard,
  AuditStreamServer,
  type AuditStreamServerOptions,
} from './nest/audit-stream.server';
