import { Pool } from 'pg';

/** Less than what callers wait for a signature. */
const STATEMENT_TIMEOUT_MS = 1_000;

/** Connections to the database that all replicas of the proxy share. */
export function openSharedDatabase(url: string, purpose: string, connections: number): Pool {
  const pool = new Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: STATEMENT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
    application_name: purpose,
    keepAlive: true,
  });
  // A connection that is lost while idle is replaced with the next query, which says so if it cannot be.
  pool.on('error', () => undefined);
  return pool;
}
