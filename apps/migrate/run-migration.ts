import { printable } from '#evidence';
import { checkMigration, createRoles, migrate } from '#platform/event-store';
import { type MigrateConfig } from './migrate.config';

/** Options and settings that do not go together. */
export class MigrateUsageError extends Error {
  override readonly name = 'MigrateUsageError';
}

export interface MigrationResult {
  /** What is printed: what was done, or what is missing. */
  readonly lines: readonly string[];
  /** 0: the database is as this version needs it; 1: `--check` found something missing. */
  readonly code: number;
}

/**
 * Migrates, makes the roles first, or only looks.
 * @throws MigrateUsageError, EventStoreError, errors of PostgreSQL
 */
export async function runMigration(
  config: MigrateConfig,
  { check, createRoles: makesRoles }: { check: boolean; createRoles: boolean },
): Promise<MigrationResult> {
  if (check && makesRoles) {
    throw new MigrateUsageError('--check changes nothing and --create-roles does; give one of them.');
  }
  const { origin, shards, runtimeRole, workerRole, partitionEvents } = config;
  const options = { origin, shards, runtimeRole, workerRole };
  if (check) {
    const problems = await checkMigration(config.databaseOwnerUrl, options);
    if (problems.length > 0) return { lines: problems.map(printable), code: 1 };
    return { lines: [`The database of ${origin} is as this version needs it.`], code: 0 };
  }
  const lines = makesRoles ? await makeRoles(config) : [];
  await migrate(config.databaseOwnerUrl, {
    ...options,
    ...(partitionEvents === undefined ? {} : { partitionEvents }),
  });
  return {
    lines: [
      ...lines.map(printable),
      `The database of ${origin} is as this version needs it; kernels may start as ${runtimeRole}, workers as ${workerRole}.`,
    ],
    code: 0,
  };
}

async function makeRoles(config: MigrateConfig): Promise<string[]> {
  const { databaseAdminUrl, databaseOwnerUrl, runtimeRole, workerRole } = config;
  if (databaseAdminUrl === undefined) {
    throw new MigrateUsageError('--create-roles needs DATABASE_ADMIN_URL, the server as a superuser.');
  }
  const { username, password, pathname } = new URL(databaseOwnerUrl);
  const database = decodeURIComponent(pathname.slice(1));
  if (username === '' || database === '') {
    throw new MigrateUsageError(
      '--create-roles takes the names of owner and database from DATABASE_OWNER_URL; write them there, postgres://owner@host/database.',
    );
  }
  return createRoles(databaseAdminUrl, {
    database,
    owner: {
      name: decodeURIComponent(username),
      password: password === '' ? null : decodeURIComponent(password),
    },
    runtime: { name: runtimeRole, password: config.databaseRuntimePassword ?? null },
    worker: { name: workerRole, password: config.databaseWorkerPassword ?? null },
  });
}
