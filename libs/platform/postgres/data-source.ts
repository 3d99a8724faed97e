import * as pg from 'pg';
import { type DataSource, type DataSourceOptions } from 'typeorm';
import { type Secret, secretText } from '#platform/process';
import { DatabaseLogin } from './login';
import { LoginPool } from './login-pool';

export interface PostgresConnection {
  url: Secret;
  /** Most connections; default 10. */
  poolSize?: number;
  /** Name in pg_stat_activity. */
  applicationName?: string;
  /** Longest wait for a connection, and for a free one of the pool; default 2,000 ms. */
  connectTimeoutMs?: number;
  /** The server cancels a statement after this; default 5,000 ms, a little later than the store does. 0: never. */
  statementTimeoutMs?: number;
  /**
   * False: a commit does not wait until it is on disk (synchronous_commit). Only for what is done again when a crash of the
   * server takes it back; what was committed after it is then taken back too. Default true.
   */
  waitForDisk?: boolean;
}

/** Contents of the database under one schema. */
export interface PostgresSchema {
  schema: string;
  /** Run only by `runMigrations`, as the schema's owner. */
  migrations: NonNullable<DataSourceOptions['migrations']>;
}

export function dataSourceOptions(
  connection: PostgresConnection,
  { schema, migrations }: PostgresSchema,
): DataSourceOptions {
  return {
    type: 'postgres',
    url: secretText(connection.url),
    ...driverFor(connection.url),
    schema,
    poolSize: connection.poolSize ?? 10,
    applicationName: connection.applicationName ?? 'kernel',
    connectTimeoutMS: connection.connectTimeoutMs ?? 2_000,
    entities: [],
    migrations,
    migrationsTableName: 'migrations',
    // All or none: a schema half way between two versions is untested.
    migrationsTransactionMode: 'all',
    migrationsRun: false,
    synchronize: false,
    installExtensions: false,
    extra: {
      keepAlive: true,
      // Open connections stay open: a burst after a quiet time must not begin with as many handshakes.
      min: connection.poolSize ?? 10,
      statement_timeout: connection.statementTimeoutMs ?? 5_000,
      // A process that is paused while it holds a shard's head must not stop every other writer permanently.
      idle_in_transaction_session_timeout: 10_000,
      ...(connection.waitForDisk === false && { options: '-c synchronous_commit=off' }),
    },
  };
}

/** Loads TypeORM only when it is called: the signing proxy runs without it. */
export async function openDataSource(options: DataSourceOptions): Promise<DataSource> {
  const { DataSource } = await import('typeorm');
  return new DataSource(options).initialize();
}

/** TypeORM makes its pool itself, of the class that the driver has. */
function driverFor(url: Secret): { driver?: object } {
  const login = DatabaseLogin.of(url);
  if (login === undefined) return {};
  const Pool = class extends LoginPool {
    constructor(config: pg.PoolConfig) {
      super(config, login as DatabaseLogin);
    }
  };
  return { driver: { ...pg, Pool } };
}
