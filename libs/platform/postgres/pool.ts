import { Pool, type PoolConfig } from 'pg';
import { type Secret, secretText } from '#platform/process';
import { DatabaseLogin } from './login';
import { LoginPool } from './login-pool';

export interface PoolOptions {
  readonly url: Secret;
  /** Name in pg_stat_activity. */
  readonly applicationName: string;
  readonly connections: number;
  /** Longest wait for a connection, and for a statement. */
  readonly timeoutMs: number;
}

/** Opens connections to a database that is not the event store's. */
export function openPool({ url, applicationName, connections, timeoutMs }: PoolOptions): Pool {
  const config: PoolConfig = {
    max: connections,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs,
    application_name: applicationName,
    keepAlive: true,
  };
  const login = DatabaseLogin.of(url);
  const pool =
    login === undefined
      ? new Pool({ ...config, connectionString: secretText(url) })
      : new LoginPool(config, login);
  // The next query replaces a connection that was lost while idle, and fails if it cannot.
  pool.on('error', () => undefined);
  return pool;
}
