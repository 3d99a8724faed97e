import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder, type PostgresServer, releaseFolder, startPostgres } from '#dev/devstack';
import { Client } from 'pg';

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

export interface TestPostgres extends PostgresServer {
  /**
   * A fresh database in some 30 ms. With `template`, a copy of that database, schema and rows included (nobody may be
   * connected to it meanwhile).
   */
  createDatabase(options?: { template?: string }): Promise<TestDatabase>;
}

export interface TestPostgresOptions {
  settings?: Readonly<Record<string, string>>;
  /** Start it again when it is killed; default true. */
  restart?: boolean;
}

/** A PostgreSQL server of its own in a temp folder, about a second to start; `stop()` also removes the folder. */
export async function startTestPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-postgres-'));
  // As root, PostgreSQL runs as another account, which has to get through; its files are its own all the same.
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
    async createDatabase({ template = 'template0' }: { template?: string } = {}): Promise<TestDatabase> {
      const name = `test_${randomBytes(6).toString('hex')}`;
      await asSuperuser(server, (client) =>
        client.query(
          `CREATE DATABASE ${name} OWNER ${server.ownerRole} TEMPLATE ${client.escapeIdentifier(template)} STRATEGY wal_log`,
        ),
      );
      await asSuperuser(server, (client) =>
        client.query(`GRANT CONNECT ON DATABASE ${name} TO ${server.runtimeRole}, ${server.workerRole}`),
      );
      return {
        name,
        ownerUrl: server.urlFor('owner', name),
        runtimeUrl: server.urlFor('runtime', name),
        workerUrl: server.urlFor('worker', name),
        superuserUrl: server.urlFor('superuser', name),
        drop: () =>
          asSuperuser(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
      };
    },
    async stop() {
      await stop();
      await removeFolder(dir);
    },
  });
}

/**
 * One server for a test file: starts it before the tests and takes everything away after them. Use inside `describe`
 * or at the top of the file; the returned function gives the server to the tests.
 */
export function withPostgres(options: TestPostgresOptions = {}): () => TestPostgres {
  let server: TestPostgres | undefined;
  beforeAll(async () => {
    server = await startTestPostgres(options);
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
  }, 60_000);
  return () => {
    if (server === undefined) throw new Error('withPostgres: only usable inside tests and hooks');
    return server;
  };
}

async function removeFolder(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  releaseFolder(dir);
}

async function asSuperuser(server: PostgresServer, run: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: server.urlFor('superuser', 'postgres') });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
