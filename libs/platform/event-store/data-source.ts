import { DataSource, type DataSourceOptions } from 'typeorm';
import { EventLog1764000000000 } from './migrations/1764000000000-event-log.migration';
import { Relay1764100000000 } from './migrations/1764100000000-relay.migration';
import { AuditIndex1764200100000 } from './migrations/1764200100000-audit-index.migration';
import { StreamPositions1764200000000 } from './migrations/1764200000000-stream-positions.migration';
import { LegalHolds1764300000000 } from './migrations/1764300000000-legal-holds.migration';
import { Modes1764400000000 } from './migrations/1764400000000-modes.migration';
import { Webhooks1764700000000 } from './migrations/1764700000000-webhooks.migration';
import { WebAuthnChallenges1764700100000 } from './migrations/1764700100000-webauthn-challenges.migration';
import { NamedEvents1764710000000 } from './migrations/1764710000000-named-events.migration';
import { SignerSwitch1764800000000 } from './migrations/1764800000000-signer-switch.migration';

export const SCHEMA = 'kernel';

/** In the order they run. */
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
];

export interface EventStoreConnection {
  url: string;
  /** Connections at most; default 10. */
  poolSize?: number;
  /** Seen in pg_stat_activity. */
  applicationName?: string;
  /** How long to wait for a connection, and for a free one of the pool; default 2,000 ms. */
  connectTimeoutMs?: number;
  /** The server gives up a statement after this; default 5,000 ms, a little later than the store does. 0: never. */
  statementTimeoutMs?: number;
}

/** Options for `new DataSource(...)` or Nest's `TypeOrmModule.forRoot(...)`. Never synchronises: migrations only. */
export function eventStoreDataSourceOptions(connection: EventStoreConnection): DataSourceOptions {
  return {
    type: 'postgres',
    url: connection.url,
    schema: SCHEMA,
    poolSize: connection.poolSize ?? 10,
    applicationName: connection.applicationName ?? 'kernel',
    connectTimeoutMS: connection.connectTimeoutMs ?? 2_000,
    entities: [],
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    // All or none: a schema half way between two versions is one that nobody tested.
    migrationsTransactionMode: 'all',
    synchronize: false,
    installExtensions: false,
    // The owner's job alone; see migrate.ts.
    migrationsRun: false,
    extra: {
      keepAlive: true,
      // What was opened stays open: a burst after a quiet time must not begin with as many handshakes.
      min: connection.poolSize ?? 10,
      statement_timeout: connection.statementTimeoutMs ?? 5_000,
      // A process that is paused while it holds a shard's head must not stop every other writer for good.
      idle_in_transaction_session_timeout: 10_000,
    },
  };
}

export async function openEventStoreDataSource(connection: EventStoreConnection): Promise<DataSource> {
  return new DataSource(eventStoreDataSourceOptions(connection)).initialize();
}
