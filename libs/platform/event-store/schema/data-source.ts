import { type DataSource, type DataSourceOptions } from 'typeorm';
import { dataSourceOptions, openDataSource, type PostgresConnection } from '#platform/postgres';
import { EventLog1764000000000 } from './migrations/1764000000000-event-log.migration';
import { Relay1764100000000 } from './migrations/1764100000000-relay.migration';
import { AuditIndex1764200100000 } from './migrations/1764200100000-audit-index.migration';
import { StreamPositions1764200000000 } from './migrations/1764200000000-stream-positions.migration';
import { LegalHolds1764300000000 } from './migrations/1764300000000-legal-holds.migration';
import { Modes1764400000000 } from './migrations/1764400000000-modes.migration';
import { Webhooks1764700000000 } from './migrations/1764700000000-webhooks.migration';
import { WebAuthnChallenges1764700100000 } from './migrations/1764700100000-webauthn-challenges.migration';
import { NamedEvents1764710000000 } from './migrations/1764710000000-named-events.migration';
import { AuthenticatedRows1764900000000 } from './migrations/1764900000000-authenticated-rows.migration';
import { SignerSwitch1764800000000 } from './migrations/1764800000000-signer-switch.migration';
import { IndexFilters1764910000000 } from './migrations/1764910000000-index-filters.migration';
import { WebhookSubscriptions1764920000000 } from './migrations/1764920000000-webhook-subscriptions.migration';
import { KeyFence1764900100000 } from './migrations/1764900100000-key-fence.migration';
import { Sessions1764950000000 } from './migrations/1764950000000-sessions.migration';
import { AuditRuns1764960000000 } from './migrations/1764960000000-audit-runs.migration';
import { EventTraces1764970000000 } from './migrations/1764970000000-event-traces.migration';

export const SCHEMA = 'kernel';

/** Migrations in the order they run. */
export const MIGRATIONS = [
  EventLog1764000000000,
  Relay1764100000000,
  StreamPositions1764200000000,
  AuditIndex1764200100000,
  LegalHolds1764300000000,
  Modes1764400000000,
  Webhooks1764700000000,
  WebAuthnChallenges1764700100000,
  NamedEvents1764710000000,
  SignerSwitch1764800000000,
  AuthenticatedRows1764900000000,
  KeyFence1764900100000,
  IndexFilters1764910000000,
  WebhookSubscriptions1764920000000,
  Sessions1764950000000,
  AuditRuns1764960000000,
  EventTraces1764970000000,
];

export type EventStoreConnection = PostgresConnection;

/** Options for `new DataSource(...)` or Nest's `TypeOrmModule.forRoot(...)`. Never synchronises: migrations only. */
export function eventStoreDataSourceOptions(connection: EventStoreConnection): DataSourceOptions {
  return dataSourceOptions(connection, { schema: SCHEMA, migrations: MIGRATIONS });
}

export function openEventStoreDataSource(connection: EventStoreConnection): Promise<DataSource> {
  return openDataSource(eventStoreDataSourceOptions(connection));
}

/** Migrations of this version that a database lacks, and those it has that this version does not know. */
export function schemaDifference(done: readonly string[]): { missing: string[]; unknown: string[] } {
  const known: readonly string[] = MIGRATIONS.map((Migration) => new Migration().name);
  return {
    missing: known.filter((name) => !done.includes(name)),
    unknown: done.filter((name) => !known.includes(name)),
  };
}
