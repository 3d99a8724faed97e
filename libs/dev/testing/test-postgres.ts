import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import {
  guardFolder,
  type PostgresLogin,
  type PostgresServer,
  releaseFolder,
  startPostgres,
} from '#dev/devstack';
import { defineConfig, loadConfig, text, url } from '#platform/process';

/** A database of its own on a running test server. */
export interface TestDatabase {
  name: string;
  /** Owns the schema; runs migrations. */
  ownerUrl: string;
  /** What the kernel gets. */
  runtimeUrl: string;
  /** What relay, indexer, archiver and auditor get. */
  workerUrl: string;
  /** May do anything: for tests that tamper. */
  superuserUrl: string;
  drop(): Promise<void>;
}

export interface CreateDatabaseOptions {
  /** A copy of that database, schema and rows included; no one may be connected to it meanwhile. */
  template?: string;
  /** Prepared once for each key on a server, then copied: a tenth of the time of migrating again. */
  prepared?: {
    /** Says everything that the preparation depends on. */
    key: string;
    prepare: (database: TestDatabase) => Promise<void>;
  };
}

/** A running server that other test files may use too, one after the other. */
export interface TestPostgres extends Pick<
  PostgresServer,
  'host' | 'port' | 'version' | 'ownerRole' | 'runtimeRole' | 'workerRole' | 'urlFor'
> {
  /** A fresh database in some 30 ms. */
  createDatabase(options?: CreateDatabaseOptions): Promise<TestDatabase>;
}

/** A server that no one else uses: it may be killed, stopped, and have its roles altered. */
export interface OwnTestPostgres extends PostgresServer {
  createDatabase: TestPostgres['createDatabase'];
}

export interface TestPostgresOptions {
  settings?: Readonly<Record<string, string>>;
  /** Start it again when it is killed; default true. */
  restart?: boolean;
}

/** A PostgreSQL server of its own in a temp folder, about a second to start; `stop()` also removes the folder. */
export async function startTestPostgres(options: TestPostgresOptions = {}): Promise<OwnTestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-postgres-'));
  // As root, PostgreSQL runs as another account, which has to get through; its files are still its own.
  await chmod(dir, 0o755);
  guardFolder(dir);
  let server: PostgresServer;
  try {
    server = await startPostgres({
      dir,
      throwaway: true,
      settings: { shared_buffers: '64MB', ...options.settings },
      restart: options.restart ?? true,
    });
  } catch (error) {
    await removeFolder(dir);
    throw error;
  }
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    createDatabase: databaseMaker(server),
    async stop() {
      await stop();
      await removeFolder(dir);
    },
  });
}

/**
 * A server for the databases of a test file; the returned function gives it to the tests. It is the one of this worker of
 * Jest (scripts/jest/postgres-servers.cjs), which runs one file at a time. Databases that the file has not dropped are
 * dropped at its end. A test that kills the server, or changes what all databases share, takes `withOwnPostgres`.
 */
export function withPostgres(): () => TestPostgres {
  let server: TestPostgres | undefined;
  let made: Set<TestDatabase>;
  beforeAll(async () => {
    const shared = await serverOfWorker();
    made = new Set();
    const createDatabase = databaseMaker(shared, made);
    server = { ...shared, createDatabase };
  }, 60_000);
  afterAll(async () => {
    for (const database of made ?? []) await database.drop();
  }, 60_000);
  return () => {
    if (server === undefined) throw new Error('withPostgres: only usable inside tests and hooks');
    return server;
  };
}

/** For `createDatabase`: a copy of a database that `migrate` of libs/platform/event-store has prepared with these options. */
export function migratedBy<O>(
  migrate: (ownerUrl: string, options: O) => Promise<void>,
  options: O,
): CreateDatabaseOptions {
  return {
    prepared: { key: JSON.stringify(options), prepare: ({ ownerUrl }) => migrate(ownerUrl, options) },
  };
}

/** A server of its own for a test file, about a second to start; everything is taken away after the tests. */
export function withOwnPostgres(options: TestPostgresOptions = {}): () => OwnTestPostgres {
  let server: OwnTestPostgres | undefined;
  beforeAll(async () => {
    server = await startTestPostgres(options);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
  }, 60_000);
  return () => {
    if (server === undefined) throw new Error('withOwnPostgres: only usable inside tests and hooks');
    return server;
  };
}

type Server = Omit<TestPostgres, 'createDatabase'>;

const settings = defineConfig({
  TEST_POSTGRES_SERVERS: {
    schema: url('http'),
    description: 'Set by scripts/jest/start-run.cjs: where a worker asks for its server.',
  },
  JEST_WORKER_ID: { schema: text(), description: 'Set by Jest.', default: '1' },
});

async function serverOfWorker(): Promise<Server> {
  const { testPostgresServers, jestWorkerId } = loadConfig(settings);
  const answer = await fetch(`${testPostgresServers}${jestWorkerId}`);
  if (!answer.ok)
    throw new Error(`the PostgreSQL server of this worker did not start: ${await answer.text()}`);
  const { urls, ...server } = (await answer.json()) as Omit<Server, 'urlFor'> & {
    urls: Record<PostgresLogin, string>;
  };
  return { ...server, urlFor: (login, database) => `${urls[login]}${database}` };
}

/** @param made what is not dropped yet */
function databaseMaker(server: Server, made = new Set<TestDatabase>()): TestPostgres['createDatabase'] {
  const preparing = new Map<string, Promise<string>>();

  async function create(template: string): Promise<TestDatabase> {
    const name = `test_${randomBytes(6).toString('hex')}`;
    await asSuperuser(server, async (client) => {
      await client.query(
        `CREATE DATABASE ${name} OWNER ${server.ownerRole} TEMPLATE ${client.escapeIdentifier(template)} STRATEGY wal_log`,
      );
      await client.query(`GRANT CONNECT ON DATABASE ${name} TO ${server.runtimeRole}, ${server.workerRole}`);
    });
    const database: TestDatabase = {
      name,
      ownerUrl: server.urlFor('owner', name),
      runtimeUrl: server.urlFor('runtime', name),
      workerUrl: server.urlFor('worker', name),
      superuserUrl: server.urlFor('superuser', name),
      async drop() {
        await asSuperuser(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
        made.delete(database);
      },
    };
    made.add(database);
    return database;
  }

  /** The name of a database that is prepared; another test file may have done it. */
  async function preparedDatabase({ key, prepare }: NonNullable<CreateDatabaseOptions['prepared']>) {
    const name = `prepared_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
    const found = await asSuperuser(server, (client) =>
      client.query('SELECT FROM pg_database WHERE datname = $1', [name]),
    );
    if (found.rowCount === 1) return name;
    const database = await create('template0');
    await prepare(database);
    // Under its name only when it is whole.
    await asSuperuser(server, (client) => client.query(`ALTER DATABASE ${database.name} RENAME TO ${name}`));
    made.delete(database);
    return name;
  }

  return async ({ template = 'template0', prepared } = {}) => {
    if (prepared === undefined) return await create(template);
    const { key } = prepared;
    if (!preparing.has(key)) preparing.set(key, preparedDatabase(prepared));
    return await create((await preparing.get(key)) as string);
  };
}

async function removeFolder(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  releaseFolder(dir);
}

async function asSuperuser<T>(server: Server, run: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: server.urlFor('superuser', 'postgres') });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
