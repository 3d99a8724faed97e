import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { rootOwnedBase } from './postgres-binaries';
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

  asRoot.each([0o077, 0o000, 0o027])(
    'makes what its account needs whatever the umask is (%o)',
    async (mask) => {
      const before = process.umask(mask);
      try {
        const hidden = join(base, 'hidden');
        await mkdir(hidden, { mode: 0o700 });
        for (const dir of [join(base, 'open'), join(hidden, 'pg')]) {
          server = await startPostgres({ dir, throwaway: true });
          await server.stop();
          const data = await realpath(join(dir, 'data'));
          expect([(await stat(dir)).mode & 0o777, (await stat(data)).mode & 0o777]).toEqual([0o755, 0o700]);
          // Found wrong, it is mended.
          await chmod(dir, 0o700);
          await chmod(data, 0o755);
          server = await startPostgres({ dir });
          expect(await query(server.runtimeUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
          await server.stop();
        }
        await chmod(base, 0o700);
        await expect(startPostgres({ dir: join(base, 'open') })).rejects.toMatchObject({
          code: 'state_broken',
          message: expect.stringMatching(/which may not enter .*open; let it in \(chmod o\+x/),
        });
        // The folder outside was made by another start, under another umask.
        const shared = await rootOwnedBase([base]);
        await chmod(shared, 0o700);
        expect(await rootOwnedBase([base])).toBe(shared);
        expect((await stat(shared)).mode & 0o777).toBe(0o755);
      } finally {
        process.umask(before);
        server = undefined;
      }
    },
  );

  it('waits for a database in recovery, says so, and changes nothing in it before', async () => {
    const dir = join(base, 'pg');
    server = await startPostgres({ dir, throwaway: true });
    await query(server.ownerUrl, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (9)');
    await server.stop();
    const { port, superuserUrl } = server;
    await writeFile(join(dir, 'data', 'standby.signal'), '');
    await appendFile(join(dir, 'data', 'postgresql.auto.conf'), "restore_command = 'false'\n");

    const said: string[] = [];
    const stopped = new AbortController();
    const start = (signal: AbortSignal) =>
      startPostgres({
        dir,
        port,
        say: (line) => said.push(line),
        signal,
        startTimeoutMs: 3_000,
        restart: false,
      });
    const given = start(stopped.signal);
    const inRecovery = async () => {
      while (said.length === 0) await delay(20);
      expect(said.splice(0)).toEqual(['PostgreSQL is in recovery; waiting until it is promoted']);
    };
    await inRecovery();
    stopped.abort();
    await expect(given).rejects.toThrow(/abort/);

    const started = start(new AbortController().signal);
    await inRecovery();
    // Longer than a server may be silent.
    await delay(3_500);
    expect(await query(superuserUrl, 'SELECT pg_promote() AS promoted')).toEqual([{ promoted: true }]);
    server = await started;
    expect(await query(server.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 9 }]);
  });

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
