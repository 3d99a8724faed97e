import { openPool, type Pool, watchPool } from '#platform/postgres';
import { type Secret } from '#platform/process';

/** Less than what callers wait for a signature. */
const TIMEOUT_MS = 1_000;

/** Connections to the database that all replicas of the proxy share. */
export function openSharedDatabase(url: Secret, applicationName: string, connections: number): Pool {
  const pool = openPool({ url, applicationName, connections, timeoutMs: TIMEOUT_MS });
  watchPool(applicationName, pool);
  return pool;
}
