import { type DataSource } from 'typeorm';
import { openEventStoreDataSource } from './data-source';
import { assertMigrated, assertWorkerRole } from './migrate';

export interface WorkerConnection {
  readonly origin: string;
  readonly shards: number;
  readonly databaseUrl: string;
  /** As pg_stat_activity shows it. */
  readonly name: string;
  readonly connections: number;
  /** For workers some of whose statements look at every row; 0: no limit. */
  readonly statementTimeoutMs?: number;
}

/**
 * The database of this kernel, as the workers' role.
 * @throws EventStoreError when its schema, its chain or the role's rights are not what they must be
 */
export async function openAsWorker(worker: WorkerConnection): Promise<DataSource> {
  const { origin, shards, databaseUrl, name, connections, statementTimeoutMs } = worker;
  const dataSource = await openEventStoreDataSource({
    url: databaseUrl,
    poolSize: connections,
    applicationName: name,
    ...(statementTimeoutMs === undefined ? {} : { statementTimeoutMs }),
  });
  try {
    await assertMigrated(dataSource, { origin, shards });
    await assertWorkerRole(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
