import { type DataSource } from 'typeorm';
import { watchPool } from '#platform/postgres';
import { type Config } from '#platform/process';
import { assertMigrated } from '../schema/assert-migrated';
import { openEventStoreDataSource } from '../schema/data-source';
import { assertWorkerRole } from '../schema/role-rights';
import { type workerSettings } from './worker-settings';

export type WorkerSettings = Config<ReturnType<typeof workerSettings>>;

export interface WorkerConnection {
  /** Name in pg_stat_activity. */
  readonly name: string;
  readonly connections: number;
  /** Limit for workers with statements that read every row; 0: no limit. */
  readonly statementTimeoutMs?: number;
}

/**
 * Opens the database of this kernel, as the workers' role.
 * @throws EventStoreError when its schema, its chain or the role's rights are wrong
 */
export async function openAsWorker(
  { origin, shards, databaseUrl }: WorkerSettings,
  { name, connections, statementTimeoutMs }: WorkerConnection,
): Promise<DataSource> {
  const dataSource = await openEventStoreDataSource({
    url: databaseUrl,
    poolSize: connections,
    applicationName: name,
    // A position that a crash of the server takes back is behind what was done, and that is done again: all workers
    // repeat what they find done. So they leave the disk to the writers, whose callers wait for it.
    waitForDisk: false,
    ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
  });
  try {
    await assertMigrated(dataSource, { origin, shards });
    await assertWorkerRole(dataSource);
    watchPool(name, dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
