import { Pool } from 'pg';

export interface PoolOptions {
  readonly url: string;
  /** Name in pg_stat_activity. */
  readonly applicationName: string;
  readonly connections: number;
  /** Longest wait for a connection, and for a statement. */
  readonly timeoutMs: number;
}

/** Opens connections to a database that is not the event store's. */
export function openPool({ url, applicationName, connections, timeoutMs }: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs,
    application_name: applicationName,
    keepAlive: true,
  });
  // The next query replaces a connection that was lost while idle, and fails if it cannot.
  pool.on('error', () => undefined);
  return pool;
}
