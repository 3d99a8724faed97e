import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { migrate, openEventStoreDataSource } from '#platform/event-store';
import { SecretFile } from '#platform/process';
import { type TestDatabase, withOwnPostgres } from '#dev/testing';
import { ChannelListener } from './channel-listener';
import { type DataSource } from 'typeorm';
import { Database, openConnections, poolOf } from './database';
import { standForElection, type Term } from './leadership/stand-for-election';
import { openPool } from './pool';

const FIRST = 'first-password';
const SECOND = 'second-password';

const postgres = withOwnPostgres();

describe('connections with a URL in a file', () => {
  let database: TestDatabase;
  let admin: Client;
  let dir: string;
  let secret: SecretFile;
  let dataSource: DataSource;
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, {
      origin: 'kernel.example.com/test',
      shards: 1,
      workerRole: postgres().workerRole,
    });
    admin = new Client({ connectionString: postgres().urlFor('superuser', 'postgres') });
    await admin.connect();
    for (const role of ['rotated_a', 'rotated_b']) {
      await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${FIRST}' IN ROLE ${postgres().workerRole}`);
    }
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'login-'));
    await setPassword('rotated_a', FIRST);
    await put(urlFor('rotated_a', FIRST));
    secret = new SecretFile({
      setting: 'DATABASE_URL',
      path: join(dir, 'url'),
      value: urlFor('rotated_a', FIRST),
      parse: (text) => text,
    });
    dataSource = await openEventStoreDataSource({ url: secret, poolSize: 3 });
    closers.push(() => dataSource.destroy());
  });
  afterEach(async () => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
    await rm(dir, { recursive: true, force: true });
  });
  afterAll(async () => {
    await admin?.end();
    await database?.drop();
  });

  const urlFor = (role: string, password: string): string => {
    const url = new URL(database.workerUrl);
    Object.assign(url, { username: role, password });
    return url.href;
  };
  const setPassword = (role: string, password: string) =>
    admin.query(`ALTER ROLE ${role} PASSWORD '${password}'`);
  const put = async (url: string): Promise<void> => {
    await writeFile(join(dir, 'next'), url);
    await rename(join(dir, 'next'), join(dir, 'url'));
  };
  const usersOf = async (application: string): Promise<string[]> => {
    const { rows } = await admin.query<{ usename: string }>(
      'SELECT usename FROM pg_stat_activity WHERE application_name = $1 ORDER BY 1',
      [application],
    );
    return rows.map(({ usename }) => usename);
  };
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (let n = 0; n < 1_000; n++) {
      if (await condition()) return;
      await delay(10);
    }
    throw new Error('not within ten seconds');
  };
  /** Ends all connections of a role, as a failover does. */
  const cutAll = (role: string) =>
    admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
  const whoAmI = async (): Promise<string | undefined> => {
    const rows = await new Database(dataSource, 20_000).query<{ me: string }>(
      'SELECT current_user AS me',
      [],
    );
    return rows[0]?.me;
  };

  it('wait while the server has another password than the file, and fail nobody', async () => {
    await setPassword('rotated_a', SECOND);
    await cutAll('rotated_a');
    await until(() => poolOf(dataSource).totalCount === 0);
    let answered = false;
    const asking = whoAmI().finally(() => (answered = true));
    await delay(500);
    expect(answered).toBe(false);
    await put(urlFor('rotated_a', SECOND));
    expect(await asking).toBe('rotated_a');
  });

  it('use the former password while the server does not know that of the file yet', async () => {
    await put(urlFor('rotated_a', SECOND));
    secret.look();
    expect(await whoAmI()).toBe('rotated_a');
    await cutAll('rotated_a');
    await until(() => poolOf(dataSource).totalCount === 0);
    expect(await whoAmI()).toBe('rotated_a');
    await setPassword('rotated_a', SECOND);
    await cutAll('rotated_a');
    await until(() => poolOf(dataSource).totalCount === 0);
    expect(await whoAmI()).toBe('rotated_a');
  });

  it('end waiting when no password comes that the server accepts', async () => {
    await setPassword('rotated_a', SECOND);
    await cutAll('rotated_a');
    await until(() => poolOf(dataSource).totalCount === 0);
    await expect(whoAmI()).rejects.toMatchObject({
      code: 'unreachable',
      message: 'password authentication failed for user "rotated_a"',
    });
  }, 20_000);

  it('are all replaced by those of another role: of pools, of LISTEN and of elections', async () => {
    const own = openPool({ url: secret, applicationName: 'own', connections: 2, timeoutMs: 5_000 });
    closers.push(() => own.end());
    await own.query('SELECT 1');
    let listening = 0;
    const heard: string[] = [];
    const listener = new ChannelListener(
      new Database(dataSource, 5_000),
      ['rotation'],
      (_, payload) => heard.push(payload),
      () => listening++,
    );
    closers.push(() => listener.close());
    listener.listen();
    const terms: Term[] = [];
    const reasons: string[] = [];
    const stopping = new AbortController();
    const standing = standForElection(
      {
        url: secret,
        name: 'rotated',
        holder: 'test',
        pollMs: 20,
        observer: {
          onElected: (term) => terms.push(term),
          onUnavailable: ({ message }) => reasons.push(message),
          onEnded: (_, reason) => reasons.push(reason),
        },
      },
      (term) => new Promise((resolve) => term.signal.addEventListener('abort', () => resolve())),
      stopping.signal,
    );
    closers.push(() => {
      stopping.abort();
      return standing;
    });
    await openConnections(dataSource);
    await until(() => listening === 1 && terms.length === 1);
    expect(reasons).toEqual([]);
    // A connection that is busy meanwhile is replaced when it comes back, and not before.
    const busy = new Database(dataSource, 20_000).query<{ me: string }>(
      'SELECT current_user AS me FROM pg_sleep(1)',
      [],
    );
    await put(urlFor('rotated_b', FIRST));
    secret.look();
    await until(() => listening === 2 && terms.length === 2);
    expect(reasons).toEqual(['the database credentials were replaced']);
    expect((await busy)[0]?.me).toBe('rotated_a');
    await until(async () => !(await usersOf('kernel')).includes('rotated_a'));
    for (const application of ['kernel-listen', 'leadership rotated', 'own']) {
      await until(async () => (await usersOf(application)).every((user) => user === 'rotated_b'));
    }
    expect(await whoAmI()).toBe('rotated_b');
    await until(async () => {
      await own.query(`NOTIFY rotation, 'again'`);
      return heard.includes('again');
    });
    // The former role may go now.
    await admin.query('ALTER ROLE rotated_a NOLOGIN');
    expect(await whoAmI()).toBe('rotated_b');
    await admin.query('ALTER ROLE rotated_a LOGIN');
  });

  it('are not replaced before the server has accepted the new URL', async () => {
    const pids = async () =>
      (await admin.query(`SELECT pid FROM pg_stat_activity WHERE usename = 'rotated_a' ORDER BY 1`)).rows;
    await openConnections(dataSource);
    const before = await pids();
    await put(urlFor('rotated_a', SECOND));
    secret.look();
    await delay(500);
    expect(await pids()).toEqual(before);
    await setPassword('rotated_a', SECOND);
    await until(async () => {
      const now = JSON.stringify(await pids());
      return before.every((row) => !now.includes(JSON.stringify(row)));
    });
    expect(await whoAmI()).toBe('rotated_a');
  });
});
