/**
 * PostgreSQL for every room: connections and pools, prepared statements with distinct failures, LISTEN, elections.
 * It knows no table but kernel.leadership; #platform/event-store has what the kernel stores. Opening a DataSource loads
 * TypeORM.
 */
export { type Pool, type PoolClient } from 'pg';
export { type DataSource, type QueryRunner } from 'typeorm';
export { arrayOfPlain, arrayOfText } from './array-literal';
export { ChannelListener } from './channel-listener';
export { dataSourceOptions, openDataSource, type PostgresConnection } from './data-source';
export {
  Database,
  isStorable,
  openConnections,
  poolOf,
  storable,
  type Session,
  type Statement,
} from './database';
export { Candidate, ElectedJob } from './leadership/elected-job';
export { DEFAULT_LEASE_MS, standForElection, type Term } from './leadership/stand-for-election';
export { openPool } from './pool';
export { watchPool } from './pool-metrics';
export { PostgresError, postgresError, type PostgresErrorCode } from './postgres-error';
export { watchServer } from './server-watch';
export { WakeUp } from './wake-up';
