import { type DataSource, type QueryRunner } from 'typeorm';
import { EventStoreError } from '../event-store.error';
import { assertMigrated } from './assert-migrated';
import { openEventStoreDataSource, SCHEMA } from './data-source';
import { MIGRATION_LOCK, type MigrateOptions } from './migrate';
import { rightsOf } from './role-acl';
import { grant } from './role-rights';

type CheckOptions = Pick<MigrateOptions, 'origin' | 'shards'> &
  Required<Pick<MigrateOptions, 'runtimeRole' | 'workerRole'>>;

/** Rights named one by one; of more the number is enough. */
const NAMED_RIGHTS = 20;

/**
 * Returns what `migrate()` with the same options would have to bring about, or would refuse: a sentence for each, none
 * when the database is as this version needs it. Changes nothing: what it tries is rolled back.
 * @throws EventStoreError `store_unavailable`
 */
export async function checkMigration(ownerUrl: string, options: CheckOptions): Promise<string[]> {
  const dataSource = await openEventStoreDataSource({
    url: ownerUrl,
    poolSize: 2,
    applicationName: 'kernel-migrate',
  });
  try {
    const problems = await problemsOfRoles(dataSource, options);
    const schema = await problemOf(() => assertMigrated(dataSource, options));
    if (schema !== undefined) problems.push(schema);
    // Rights can be tried by the owner, on a whole schema, for roles that may have them.
    return problems.length > 0 ? problems : await problemsOfRights(dataSource, options);
  } finally {
    await dataSource.destroy();
  }
}

async function problemOf(check: () => Promise<void>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (!(error instanceof EventStoreError) || error.code === 'store_unavailable') throw error;
    return error.message;
  }
}

interface RoleRow {
  name: string;
  exists: boolean;
  login: boolean;
  superuser: boolean;
  owns: boolean;
}

async function problemsOfRoles(
  dataSource: DataSource,
  { runtimeRole, workerRole }: CheckOptions,
): Promise<string[]> {
  const rows = await dataSource.query<RoleRow[]>(
    `SELECT n.name, r.oid IS NOT NULL AS exists, coalesce(r.rolcanlogin, false) AS login,
            coalesce(r.rolsuper, false) AS superuser,
            r.oid IS NOT NULL AND pg_has_role(r.oid, coalesce(
              (SELECT nspowner FROM pg_namespace WHERE nspname = $2), current_user::regrole), 'MEMBER') AS owns
     FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place) LEFT JOIN pg_roles r ON r.rolname = n.name
     ORDER BY n.place`,
    [[runtimeRole, workerRole], SCHEMA],
  );
  const problems = rows.flatMap((row) => problemOfRole(row) ?? []);
  const [owner] = await dataSource.query<{ me: string; owner: string | null; mine: boolean }[]>(
    `SELECT current_user AS me, o.rolname AS owner, o.oid IS NULL OR pg_has_role(current_user, o.oid, 'MEMBER') AS mine
     FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = $1 LEFT JOIN pg_roles o ON o.oid = n.nspowner`,
    [SCHEMA],
  );
  if (owner?.mine === false) {
    problems.push(
      `The schema ${SCHEMA} belongs to the role ${owner.owner}, and ${owner.me} is not a member of it; connect as its owner.`,
    );
  }
  return problems;
}

function problemOfRole({ name, exists, login, superuser, owns }: RoleRow): string | undefined {
  const role = JSON.stringify(name);
  if (!exists) return `The role ${role} does not exist; make it, or let --create-roles make it.`;
  if (superuser)
    return `The role ${role} is a superuser and could change the event log; give it NOSUPERUSER.`;
  if (owns) return `The role ${role} may act as the schema's owner and could switch the guards off.`;
  if (!login) return `The role ${role} may not log in; give it LOGIN.`;
  return undefined;
}

async function problemsOfRights(dataSource: DataSource, options: CheckOptions): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    try {
      // Two sessions that change the rights of one object would fail.
      await runner.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      return await differencesOfRights(runner, options);
    } finally {
      await runner.rollbackTransaction();
    }
  } finally {
    await runner.release();
  }
}

async function differencesOfRights(
  runner: QueryRunner,
  { runtimeRole, workerRole }: CheckOptions,
): Promise<string[]> {
  const roles = [runtimeRole, workerRole];
  const before = await rightsOf(runner, roles);
  const refused = await problemOf(async () => {
    await grant(runner, 'runtime', runtimeRole);
    await grant(runner, 'worker', workerRole);
  });
  if (refused !== undefined) return [refused];
  const after = await rightsOf(runner, roles);
  return [
    ...named('A right is missing', without(after, before)),
    ...named('A right is too many', without(before, after)),
  ];
}

function without(all: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return all.filter((right) => !known.has(right));
}

function named(what: string, all: readonly string[]): string[] {
  const listed = all.slice(0, NAMED_RIGHTS).map((right) => `${what}: ${right}.`);
  return all.length > listed.length ? [...listed, `${what}: ${all.length - listed.length} more.`] : listed;
}
