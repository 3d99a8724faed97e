import { Pool } from 'pg';

export interface PoolOptions {
  readonly url: string;
  /** Seen in pg_stat_activity. */
  readonly applicationName: string;
  readonly connections: number;
  /** How long to wait for a connection, and for a statement. */
  readonly timeoutMs: number;
}

/** Connections to a database that is not the event store's. */
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
  // A connection that is lost while idle is replaced with the next query, which says so if it cannot be.
  pool.on('error', () => undefined);
  return pool;
}
