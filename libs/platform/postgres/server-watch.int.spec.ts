import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort, guardFolder, type PostgresServer, releaseFolder, startPostgres } from '#dev/devstack';
import { Registry } from '#platform/process';
import { type DataSource, openDataSource, dataSourceOptions, watchPool, watchServer } from './index';

const EVERY_MS = 50;

describe('the watch over a PostgreSQL server', () => {
  const folders: string[] = [];
  const folder = async (): Promise<string> => {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-replicas-'));
    await chmod(dir, 0o755);
    guardFolder(dir);
    folders.push(dir);
    return dir;
  };
  const settings = { shared_buffers: '64MB' };
  let primary: PostgresServer;
  let endReplica: (() => Promise<void>) | undefined;
  let dataSource: DataSource;
  let registry: Registry;
  let warnings: string[];
  let end: () => Promise<void>;

  const asSuperuser = async (url: string, text: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  const value = async (series: string): Promise<number | undefined> => {
    const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  const until = async (series: string, holds: (value: number | undefined) => boolean): Promise<void> => {
    for (let seen = await value(series); !holds(seen); seen = await value(series)) await delay(EVERY_MS);
  };

  beforeAll(async () => {
    primary = await startPostgres({ dir: await folder(), throwaway: true, settings });
    dataSource = await openDataSource(
      dataSourceOptions({ url: primary.workerUrl, poolSize: 2 }, { schema: 'public', migrations: [] }),
    );
    registry = new Registry();
    warnings = [];
    end = watchServer({
      dataSource,
      registry,
      everyMs: EVERY_MS,
      logger: {
        info: () => undefined,
        warn: (...said: unknown[]) => void warnings.push(String(said.at(-1))),
      },
    });
  }, 60_000);
  afterAll(async () => {
    await end?.();
    await dataSource?.destroy();
    await endReplica?.();
    await primary?.stop();
    for (const dir of folders) {
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    }
  }, 60_000);

  it('tells the age of transaction ids, and once that replicas cannot be seen without the right', async () => {
    await until('kernel_postgres_replication_visible', (seen) => seen === 0);
    const before = await value('kernel_postgres_transaction_id_age');
    expect(before).toBeGreaterThan(0);
    expect(await value('kernel_postgres_transaction_id_freeze_age')).toBe(200_000_000);
    await asSuperuser(primary.superuserUrl, 'SELECT pg_current_xact_id()');
    await until('kernel_postgres_transaction_id_age', (seen) => (seen ?? 0) > (before ?? Infinity));
    expect(await value('kernel_postgres_replicas')).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('grant it pg_read_all_stats')]);
  });

  it('tells how late a replica is, and forgets one that is gone', async () => {
    await asSuperuser(primary.superuserUrl, `GRANT pg_read_all_stats TO ${primary.workerRole}`);
    await until('kernel_postgres_replicas', (seen) => seen === 0);
    const dir = await folder();
    await primary.stop();
    await promisify(execFile)('cp', ['-a', `${primary.dir}/.`, dir]);
    await primary.start();
    await writeFile(join(dir, 'data', 'standby.signal'), '');
    const { username, password } = new URL(primary.superuserUrl);
    const [port, ending] = [await freePort(), new AbortController()];
    // It waits until somebody promotes the replica, which nobody does.
    const starting = startPostgres({
      dir,
      port,
      settings: {
        ...settings,
        primary_conninfo: `host=${primary.host} port=${primary.port} user=${username} password=${password} application_name=standby-1`,
      },
      signal: ending.signal,
    });
    endReplica = async () => {
      ending.abort();
      await starting.catch(() => undefined);
    };
    const atReplica = (text: string): Promise<void> =>
      asSuperuser(primary.superuserUrl.replace(`:${primary.port}/`, `:${port}/`), text);
    const series = 'kernel_postgres_replication_lag_seconds{replica="standby-1"}';
    await until(series, (seen) => seen === 0);
    expect(await value('kernel_postgres_replicas')).toBe(1);
    await atReplica('SELECT pg_wal_replay_pause()');
    await asSuperuser(primary.superuserUrl, 'CREATE TABLE written (n int)');
    await until(series, (seen) => (seen ?? 0) > 0.5);
    await atReplica('SELECT pg_wal_replay_resume()');
    await until(series, (seen) => seen === 0);
    await endReplica();
    await until('kernel_postgres_replicas', (seen) => seen === 0);
    expect(await value(series)).toBeUndefined();
  }, 60_000);

  it('has no values while the server is away', async () => {
    await primary.kill();
    await until('kernel_postgres_transaction_id_age', (seen) => seen === undefined);
    await primary.whenReady();
    await until('kernel_postgres_transaction_id_age', (seen) => (seen ?? 0) > 0);
  }, 60_000);

  it('shows how busy the pool is', async () => {
    // It would wait for a connection too.
    await end();
    const pools = new Registry();
    watchPool('test', dataSource, pools);
    const runners = [dataSource.createQueryRunner(), dataSource.createQueryRunner()];
    for (const runner of runners) await runner.connect();
    const third = dataSource.createQueryRunner();
    const waits = third.connect();
    const text = await pools.metrics();
    expect(text).toContain('kernel_postgres_pool_size{pool="test"} 2');
    expect(text).toMatch(/kernel_postgres_pool_in_use\{pool="test"\} 2/);
    expect(text).toMatch(/kernel_postgres_pool_waiting\{pool="test"\} 1/);
    await runners[0]?.release();
    await waits;
    await Promise.all([runners[1]?.release(), third.release()]);
  });
});
