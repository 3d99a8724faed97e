import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type CreateDatabaseOptions, withPostgres } from './test-postgres';
import { workTree } from './work-tree';

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('databases of a test file', () => {
  const postgres = withPostgres();

  it('are prepared once, and are copies that do not know of each other', async () => {
    let prepared = 0;
    const options: CreateDatabaseOptions = {
      prepared: {
        key: `test-postgres.int.spec ${process.pid}`,
        prepare: async ({ ownerUrl }) => {
          prepared += 1;
          await query(ownerUrl, 'CREATE TABLE thing (n integer); INSERT INTO thing VALUES (1)');
        },
      },
    };
    const [a, b] = await Promise.all([
      postgres().createDatabase(options),
      postgres().createDatabase(options),
    ]);
    await query(a.ownerUrl, 'INSERT INTO thing VALUES (2)');
    expect(await query(a.ownerUrl, 'SELECT n FROM thing ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await query(b.ownerUrl, 'SELECT n FROM thing ORDER BY n')).toEqual([{ n: 1 }]);
    const c = await postgres().createDatabase(options);
    expect(await query(c.ownerUrl, 'SELECT n FROM thing')).toEqual([{ n: 1 }]);
    expect(prepared).toBe(1);
  });

  it('are not prepared when the preparation failed', async () => {
    const prepared = {
      key: `fails ${process.pid}`,
      prepare: () => Promise.reject(new Error('no schema')),
    };
    const databases = () =>
      query(
        postgres().urlFor('superuser', 'postgres'),
        `SELECT datname FROM pg_database WHERE datname LIKE 'prepared_%' ORDER BY datname`,
      );
    const before = await databases();
    await expect(postgres().createDatabase({ prepared })).rejects.toThrow('no schema');
    expect(await databases()).toEqual(before);
  });
});

describe('the servers of a run', () => {
  /** A run that asks for a server for two workers, one of them twice, and then ends in some way. */
  async function run(ending: string): Promise<{ pids: number[]; dirs: string[] }> {
    const program = `
      const { PostgresServers } = require(${JSON.stringify(join(workTree(), 'scripts/jest/postgres-servers.cjs'))});
      (async () => {
        const servers = new PostgresServers();
        const url = await servers.listen();
        await Promise.all(['1', '2', '1'].map((worker) => fetch(url + worker)));
        const started = await Promise.all(servers.servers.values());
        process.stdout.write(JSON.stringify({ pids: started.map(({ pid }) => pid), dirs: started.map(({ dir }) => dir) }));
        ${ending}
      })();`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    return JSON.parse(stdout) as { pids: number[]; dirs: string[] };
  }

  function runs(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  }

  it.each([
    ['is over', 'await servers.stop();'],
    ['is killed', 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 100);'],
  ])('are one for each worker, and gone with their folders when it %s', async (_, ending) => {
    const { pids, dirs } = await run(ending);
    expect(new Set(pids).size).toBe(2);
    const left = (): unknown[] => [...pids.filter(runs), ...dirs.filter((dir) => existsSync(dir))];
    for (const deadline = Date.now() + 20_000; left().length > 0 && Date.now() < deadline;) await delay(50);
    expect(left()).toEqual([]);
  });
});
