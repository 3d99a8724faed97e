export {
  type AnswerBytes,
  answerBytes,
  answerOnce,
  appendAndAnswer,
  type CommandAnswer,
  findStoredAnswer,
  type IdempotencyClaim,
} from './append-answer';
export { shardOf } from './append/shard-of';
export { type Asking, KERNEL_ACTOR } from './decisions/asking';
export { ContendedDecisions } from './decisions/contended-decisions';
export { decideAnew, isVersionConflict } from './decisions/decide-anew';
export { type Folded, FoldedStreams } from './decisions/folded-streams';
export { mapFew } from './decisions/map-few';
export {
  type EventStoreConnection,
  eventStoreDataSourceOptions,
  openEventStoreDataSource,
} from './data-source';
export { DataSource, type QueryRunner } from 'typeorm';
export { newEventId } from './event-id';
export { EventStoreError, type EventStoreErrorCode } from './event-store.error';
export { EventLog, type EventLogOptions } from './event-log';
export { EventStore, type EventStoreOptions } from './event-store';
export { type Behind, BehindListener, ModeSource } from './event-store.ports';
export { EventStores } from './event-stores';
export {
  type Answer,
  type AppendRequest,
  type AppendResult,
  type BatchReport,
  type EventPage,
  type EventQuery,
  type EventSearch,
  EventSigner,
  type EventStoreObserver,
  type NewEvent,
  type RetryReason,
  type ShardHead,
  type SignedRange,
  type StoredAnswer,
  type StoredEvent,
  type StreamVersion,
  type StreamWrite,
} from './event-store.types';
export { type AnswerRecord, type RecordedAnswer } from './idempotency/idempotency-store';
export { DEFAULT_LIMITS, type EventStoreLimits, MAX_EVENTS_PER_REQUEST, MAX_PAGE } from './limits';
export { IndexQueries, type IndexQueriesOptions } from './index-queries';
export { eventsOfTypes } from './read/events-of-types';
export { type Named } from './read/named-events.sql';
export { assertMigrated, assertRuntimeRole, assertWorkerRole, migrate, type MigrateOptions } from './migrate';
export { openAsWorker, type WorkerConnection } from './open-as-worker';
export { workerSettings } from './worker-settings';
export { arrayOfPlain, arrayOfText } from './postgres/array-literal';
export { ChannelListener } from './postgres/channel-listener';
export { Database, openConnections, type Statement } from './postgres/database';
export { StoreRestore, type StoreRestoreOptions } from './restore/store-restore';
export { StoreError, type StoreErrorCode } from './postgres/store-error';
export { WakeUp } from './tail/wake-up';
export { Candidate, ElectedJob, type ElectedJobOptions } from './leadership/elected-job';
export {
  DEFAULT_LEASE_MS,
  type ElectionObserver,
  type ElectionOptions,
  standForElection,
  type Term,
} from './leadership/stand-for-election';
