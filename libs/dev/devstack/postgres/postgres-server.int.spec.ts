import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type PostgresServer, startPostgres } from './postgres-server';
import { identityOf, isRunning } from '../process/process-identity';

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('startPostgres', () => {
  let base: string;
  let server: PostgresServer | undefined;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'devstack postgres-'));
    await chmod(base, 0o755);
  });
  afterEach(async () => {
    await server?.stop();
    await rm(base, { recursive: true, force: true });
  });

  it('serves durable databases on the loopback address to an owner and a runtime role only', async () => {
    server = await startPostgres({ dir: join(base, 'pg'), throwaway: true });
    const [settings] = await query(
      server.superuserUrl,
      `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
              current_setting('synchronous_commit') AS commits, current_setting('listen_addresses') AS listens,
              current_setting('unix_socket_directories') AS sockets, current_setting('TimeZone') AS zone`,
    );
    expect(settings).toEqual({
      fsync: 'on',
      pages: 'on',
      commits: 'on',
      listens: '127.0.0.1',
      sockets: '',
      zone: 'UTC',
    });
    const roles = await query(
      server.runtimeUrl,
      `SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE 'kernel%' ORDER BY 1`,
    );
    expect(roles).toEqual([
      { rolname: 'kernel_owner', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
      { rolname: 'kernel_runtime', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
      { rolname: 'kernel_worker', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
    ]);
    const wrong = new URL(server.ownerUrl);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(join(base, 'pg', 'passwords.json'))).mode & 0o777).toBe(0o600);
  });

  it('comes back by itself after kill -9 with everything that was committed', async () => {
    server = await startPostgres({ dir: join(base, 'pg'), throwaway: true });
    await query(server.ownerUrl, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    const before = server.pid;
    await server.kill();
    await server.whenReady();
    expect(await query(server.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    expect(server.pid).not.toBe(before);
    expect(server.restarts).toBe(1);
  });

  it('takes up an existing folder again and leaves no process behind', async () => {
    const dir = join(base, 'pg');
    server = await startPostgres({ dir, throwaway: true, restart: false });
    await query(server.ownerUrl, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (9)');
    const identity = identityOf(server.pid as number);
    await server.stop();
    expect(identity !== undefined && isRunning(identity)).toBe(false);
    server = await startPostgres({ dir });
    expect(await query(server.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 9 }]);
  });

  it('ends a server that outlived its launcher before it uses the same files', async () => {
    const dir = join(base, 'pg');
    const first = await startPostgres({ dir, throwaway: true, restart: false });
    const orphan = identityOf(first.pid as number);
    server = await startPostgres({ dir });
    expect(orphan !== undefined && isRunning(orphan)).toBe(false);
    expect(await query(server.ownerUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot(
    'works in a folder that only root may enter, and forgets the data when that folder is gone',
    async () => {
      const hidden = join(base, 'hidden');
      await mkdir(hidden, { mode: 0o700 });
      server = await startPostgres({ dir: join(hidden, 'pg'), throwaway: true });
      expect(await query(server.runtimeUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      const outside = await readlink(join(hidden, 'pg', 'data'));
      await server.stop();
      server = await startPostgres({ dir: join(hidden, 'pg') });
      await server.stop();
      await rm(hidden, { recursive: true });
      await mkdir(hidden, { mode: 0o700 });
      server = await startPostgres({ dir: join(hidden, 'another'), throwaway: true });
      await expect(stat(outside)).rejects.toMatchObject({ code: 'ENOENT' });
      const { mode } = await stat(await readlink(join(hidden, 'another', 'data')));
      expect(mode & 0o777).toBe(0o700);
    },
  );

  it('names a taken port, a folder that is no cluster and lost passwords in one sentence', async () => {
    const dir = join(base, 'pg');
    server = await startPostgres({ dir, throwaway: true });
    await expect(
      startPostgres({ dir: join(base, 'other'), port: server.port, throwaway: true }),
    ).rejects.toMatchObject({ code: 'port_in_use' });
    await server.stop();
    await rm(join(dir, 'passwords.json'));
    await expect(startPostgres({ dir })).rejects.toMatchObject({
      code: 'state_broken',
      message: expect.stringContaining('passwords.json is missing'),
    });
    server = undefined;
    expect(await readFile(join(dir, 'postgres.log'), 'utf8')).not.toContain('PASSWORD');
  });
});
