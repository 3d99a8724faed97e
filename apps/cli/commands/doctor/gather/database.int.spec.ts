import { Client } from 'pg';
import { migrate } from '#platform/event-store';
import { migratedBy, type TestDatabase, withPostgres } from '#dev/testing';
import { databaseAt, databaseSamples, schemaAt } from './database';
import { looked } from './bounded';

const ORIGIN = 'kernel.test/doctor';

describe('the doctor at a database', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let superuser: Client;
  beforeAll(async () => {
    const { runtimeRole, workerRole } = postgres();
    database = await postgres().createDatabase(
      migratedBy(migrate, { origin: ORIGIN, shards: 2, runtimeRole, workerRole }),
    );
    superuser = new Client({ connectionString: database.superuserUrl });
    // The database is dropped before it is ended.
    superuser.on('error', () => undefined);
    await superuser.connect();
  }, 60_000);
  afterAll(() => superuser?.end());

  it('sees chain, mode, heads and the server', async () => {
    const facts = await databaseAt(database.runtimeUrl);
    expect(facts).toMatchObject({
      refused: [],
      chain: { origin: ORIGIN, shards: 2 },
      mode: { mode: 'normal', restoring: false },
      heads: [
        { shard: 0, seq: 0, ts: null },
        { shard: 1, seq: 0, ts: null },
      ],
      behind: [],
      lastAudit: null,
    });
    expect(Math.abs(facts.clockAheadMs)).toBeLessThan(5_000);
    expect(facts.connections.used).toBeGreaterThan(0);
    expect(facts.connections.max).toBeGreaterThan(facts.connections.used);
    expect(facts.transactionIdsUsed).toBeLessThan(0.1);
    expect((await databaseAt(database.ownerUrl)).role).not.toBe(facts.role);
  });

  it('sees how long a transaction has been open, and the newest audit', async () => {
    const other = new Client({ connectionString: database.runtimeUrl });
    await other.connect();
    await other.query('BEGIN; SELECT 1');
    await superuser.query(
      `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings) VALUES
         (gen_random_uuid(), now() - interval '1 day', 'clean', 5, 0), (gen_random_uuid(), now(), 'findings', 5, 3)`,
    );
    const facts = await databaseAt(database.runtimeUrl);
    expect(facts.oldestTransactionSeconds).toBeGreaterThan(0);
    expect(facts.lastAudit).toMatchObject({ outcome: 'findings', findings: 3, message: null });
    expect(Date.now() - (facts.lastAudit?.startedAt ?? 0)).toBeLessThan(60_000);
    await other.end();
  });

  it('reads as a role that may do less, and says what it could not read', async () => {
    expect((await databaseAt(database.workerUrl)).refused).toEqual(['kernel.audit_runs']);
    const url = new URL(database.superuserUrl);
    const role = `doctor_${process.pid}`;
    await superuser.query(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test'`);
    try {
      Object.assign(url, { username: role, password: 'of-a-test' });
      expect(await looked(() => databaseAt(url.href))).toMatchObject({
        kind: 'failed',
        why: expect.stringContaining('permission denied'),
      });
      // The rights that docs/doctor.md lists.
      await superuser.query(
        `GRANT USAGE ON SCHEMA kernel TO ${role};
         GRANT SELECT ON kernel.migrations, kernel.chain, kernel.mode, kernel.shard_head, kernel.relay_cursors,
           kernel.stream_positions, kernel.events, kernel.audit_runs TO ${role}`,
      );
      expect(await databaseAt(url.href)).toMatchObject({ role, refused: [], chain: { origin: ORIGIN } });
      expect(await schemaAt(url.href)).toEqual({ missing: [], unknown: [] });
    } finally {
      await superuser.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('sees a schema that is older or newer, or not there', async () => {
    await superuser.query(
      `DELETE FROM kernel.migrations WHERE name LIKE 'AuditRuns%';
       INSERT INTO kernel.migrations (timestamp, name) VALUES (1999999999999, 'Later1999999999999')`,
    );
    expect(await schemaAt(database.runtimeUrl)).toEqual({
      missing: ['AuditRuns1764960000000'],
      unknown: ['Later1999999999999'],
    });
    const empty = await postgres().createDatabase();
    expect((await schemaAt(empty.ownerUrl)).missing.length).toBeGreaterThan(10);
    expect(await databaseAt(empty.ownerUrl)).toMatchObject({ chain: null, mode: null, heads: [] });
  });

  it('takes samples for a bundle, without anything secret', async () => {
    const samples = await databaseSamples(database.superuserUrl);
    expect(Object.values(samples).filter((sample) => typeof sample === 'string')).toEqual([]);
    expect(JSON.stringify(samples)).not.toContain('of-a-test');
  });

  it('says in time that nobody is there', async () => {
    const found = await looked(() => databaseAt('postgres://doctor:not-told@127.0.0.1:1/kernel'));
    expect(found).toMatchObject({ kind: 'failed', why: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(found)).not.toContain('not-told');
  });
});
