/**
 * The kernel's event log in PostgreSQL: append, read, tail, idempotent answers, restore, and the schema with its roles.
 * It is the audit log and the outbox; it neither signs nor publishes. #platform/postgres provides connections.
 */
export {
  type AnswerBytes,
  answerBytes,
  answerOnce,
  appendAndAnswer,
  type CommandAnswer,
  findStoredAnswer,
} from './idempotency/append-answer';
export { type Asking, KERNEL_ACTOR } from './decisions/asking';
export { ContendedDecisions } from './decisions/contended-decisions';
export { decideAnew, isVersionConflict } from './decisions/decide-anew';
export { type Folded, FoldedStreams } from './decisions/folded-streams';
export { mapFew } from './decisions/map-few';
export {
  type EventStoreConnection,
  eventStoreDataSourceOptions,
  openEventStoreDataSource,
  schemaDifference,
} from './schema/data-source';
export { DataSource } from 'typeorm';
export { newEventId } from './append/event-id';
export { shardOf } from './append/shard-of';
export { EventStoreError, type EventStoreErrorCode } from './event-store.error';
export { unavailable } from './tail/event-tail';
export { tracesOf } from './traces/event-traces';
export { EventLog } from './event-log';
export { EventStore } from './event-store';
export { type Behind, BehindListener, ModeSource } from './event-store.ports';
export { EventStores } from './event-stores';
export {
  type AppendRequest,
  type BatchReport,
  type EventPage,
  type EventQuery,
  type EventSearch,
  EventSigner,
  type EventStoreObserver,
  type IndexFilters,
  type IndexQuery,
  type PartitionRoom,
  type RetryReason,
  type ShardHead,
  type StoredEvent,
  type StreamVersion,
  type StreamWrite,
} from './event-store.types';
export { EventVerifier } from './integrity/checked-reads';
export { integrityError, type RowFault } from './integrity/row-fault';
export { ROW_KEY_BYTES, RowKey } from './integrity/row-key';
export { DEFAULT_LIMITS, type EventStoreLimits } from './limits';
export { type EventFilter, type FollowedFilter } from './read/event-query.sql';
export { IndexQueries } from './read/index-queries';
export { type RegistryRow, registryRowsOf } from './read/registry-rows';
export { eventsOfTypes } from './read/events-of-types';
export { type Named } from './read/named-events.sql';
export { signedDigest } from './read/signed-digest';
export { assertMigrated } from './schema/assert-migrated';
export { checkMigration } from './schema/check-migration';
export { createRoles } from './schema/create-roles';
export { migrate } from './schema/migrate';
export { assertRuntimeRole } from './schema/role-rights';
export { openAsWorker } from './worker/open-as-worker';
export { workerSettings } from './worker/worker-settings';
export {
  detachPartitions,
  type DetachReport,
  type PublishedCheckpoint,
} from './partitions/detach-partitions';
export { listPartitions, type ListedPartition } from './partitions/list-partitions';
export { repairStore, type StoreRepairReport } from './repair/store-repair';
export { markRestoring, StoreRestore } from './restore/store-restore';
