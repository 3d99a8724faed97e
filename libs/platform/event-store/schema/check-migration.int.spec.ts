import { type TestDatabase, withPostgres } from '#dev/testing';
import { ORIGIN, run } from '../fixtures/store.fixture';
import { checkMigration } from './check-migration';
import { migrate } from './migrate';

/** Every object and right in the kernel's schemas, as the catalogue has it. */
const CATALOGUE = `
  SELECT n.nspname, n.nspacl::text, c.relname, c.relacl::text, c.xmin::text
  FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
  WHERE n.nspname LIKE 'kernel%' ORDER BY 1, 3`;

describe('what a migration would have to do', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  beforeEach(async () => {
    database = await postgres().createDatabase();
  });
  afterEach(async () => {
    await database.drop();
  });

  const options = () => ({
    origin: ORIGIN,
    shards: 2,
    runtimeRole: postgres().runtimeRole,
    workerRole: postgres().workerRole,
  });
  const check = (others: Partial<ReturnType<typeof options>> = {}) =>
    checkMigration(database.ownerUrl, { ...options(), ...others });

  it('is nothing after one, and the same is said to many who ask at once', async () => {
    await migrate(database.ownerUrl, options());
    expect(await Promise.all([check(), check(), check()])).toEqual([[], [], []]);
  });

  it('is everything before the first, which it does not begin', async () => {
    expect(await check()).toEqual([
      expect.stringMatching(/lacks the migration\(s\) EventLog1764000000000, /),
    ]);
    expect(await run(database.ownerUrl, CATALOGUE)).toEqual([]);
  });

  it('is found without a change', async () => {
    await migrate(database.ownerUrl, options());
    const { runtimeRole } = options();
    await run(database.ownerUrl, `REVOKE INSERT ON kernel.events FROM ${runtimeRole}`);
    const before = await run(database.ownerUrl, CATALOGUE);
    expect(await check()).toEqual([`A right is missing: ${runtimeRole}: INSERT ON kernel.events.`]);
    expect(await run(database.ownerUrl, CATALOGUE)).toEqual(before);
    await migrate(database.ownerUrl, options());
    expect(await check()).toEqual([]);
  });

  it.each<[string, (role: string) => string, RegExp]>([
    [
      'more than its rights',
      (role) => `GRANT DELETE ON kernel.idempotency TO ${role}; GRANT UPDATE ON kernel.events TO ${role}`,
      /^A right is too many: .*: UPDATE ON kernel\.events\.$/,
    ],
    [
      'a right on a column',
      (role) => `GRANT UPDATE (origin) ON kernel.chain TO ${role}`,
      /^A right is too many: .*: UPDATE ON kernel\.chain \(origin\)\.$/,
    ],
    [
      'what everybody may do',
      () => 'GRANT SELECT ON kernel.events TO PUBLIC',
      /^A right is too many: PUBLIC: SELECT ON kernel\.events\.$/,
    ],
    [
      'a function that everybody may call',
      () => 'GRANT EXECUTE ON FUNCTION kernel.make_partitions() TO PUBLIC',
      /^A right is too many: PUBLIC: EXECUTE ON FUNCTION kernel\.make_partitions\(\)\.$/,
    ],
  ])('names %s', async (_, statement, sentence) => {
    await migrate(database.ownerUrl, options());
    await run(database.ownerUrl, statement(options().runtimeRole));
    expect(await check()).toEqual([expect.stringMatching(sentence)]);
  });

  it('names a role that is not there, and one that may act as the owner', async () => {
    await migrate(database.ownerUrl, options());
    expect(await check({ workerRole: 'nobody_here' })).toEqual([
      expect.stringContaining('The role "nobody_here" does not exist'),
    ]);
    expect(await check({ runtimeRole: postgres().ownerRole })).toEqual([
      expect.stringContaining("may act as the schema's owner"),
    ]);
  });

  it('names another chain', async () => {
    await migrate(database.ownerUrl, options());
    expect(await check({ shards: 3 })).toEqual([
      expect.stringContaining(`holds the chain of ${ORIGIN} in 2 shard(s)`),
    ]);
  });

  it('names a guard that is switched off', async () => {
    await migrate(database.ownerUrl, options());
    await run(database.superuserUrl, 'ALTER TABLE kernel.chain DISABLE TRIGGER chain_refuse_change');
    expect(await check()).toEqual([expect.stringContaining('The guard(s) chain_refuse_change')]);
  });

  it('names a connection that is not the owner’s', async () => {
    await migrate(database.ownerUrl, options());
    expect(await checkMigration(database.workerUrl, options())).toEqual([
      expect.stringMatching(/^The schema kernel belongs to the role .*; connect as its owner\.$/),
    ]);
  });
});
