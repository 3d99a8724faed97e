import { genesisHash } from '#evidence';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { MIGRATIONS, openEventStoreDataSource } from './data-source';
import { append, keyed, openStore, ORIGIN, run, write } from '../fixtures/store.fixture';
import { assertMigrated } from './assert-migrated';
import { migrate } from './migrate';
import { assertRuntimeRole, assertWorkerRole } from './role-rights';

describe('the schema', () => {
  const postgres = withPostgres();
  let database: TestDatabase;

  const eachInItsOwnDatabase = (): void => {
    beforeEach(async () => {
      database = await postgres().createDatabase();
    });
    afterEach(async () => {
      await database.drop();
    });
  };

  /** One database for tests in which everything is refused, and which so leave no trace. */
  const allInOneDatabaseWithEvents = (): void => {
    beforeAll(async () => {
      database = await postgres().createDatabase();
      await withEvents();
    });
    afterAll(async () => {
      await database.drop();
    });
  };

  async function withDataSource<T>(
    url: string,
    use: (dataSource: Awaited<ReturnType<typeof openEventStoreDataSource>>) => Promise<T>,
  ): Promise<T> {
    const dataSource = await openEventStoreDataSource({ url, poolSize: 2 });
    try {
      return await use(dataSource);
    } finally {
      await dataSource.destroy();
    }
  }

  const check = (url: string, expected?: { origin: string; shards: number }) =>
    withDataSource(url, (dataSource) => assertMigrated(dataSource, expected));

  /** A database with three events and one stored answer in it. */
  async function withEvents(): Promise<void> {
    const { runtimeRole, workerRole } = postgres();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole, workerRole });
    const opened = await openStore(database);
    await opened.store.append(append(write('a/1'), write('a/2')));
    await opened.store.append(keyed('k'));
    await opened.close();
  }

  describe('migrations', () => {
    eachInItsOwnDatabase();

    it('run as often as wanted and from several places at once', async () => {
      const options = { origin: ORIGIN, shards: 2, runtimeRole: postgres().runtimeRole };
      await Promise.all([1, 2, 3].map(() => migrate(database.ownerUrl, options)));
      await migrate(database.ownerUrl, options);
      await check(database.runtimeUrl, options);
      expect(
        await run(
          database.ownerUrl,
          `SELECT shard, seq, encode(hash, 'hex') AS hash, ts FROM kernel.shard_head ORDER BY 1`,
        ),
      ).toEqual([0, 1].map((shard) => ({ shard, seq: '0', hash: genesisHash(ORIGIN, shard), ts: null })));
      expect(await run(database.ownerUrl, 'SELECT count(*)::int AS n FROM kernel.migrations')).toEqual([
        { n: MIGRATIONS.length },
      ]);
    });

    it('leave a chain with events as it is', async () => {
      await withEvents();
      const before = await run(database.ownerUrl, 'SELECT * FROM kernel.shard_head');
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1 });
      expect(await run(database.ownerUrl, 'SELECT * FROM kernel.shard_head')).toEqual(before);
    });

    it.each([
      ['another origin', { origin: 'kernel.example.com/other', shards: 1 }],
      ['another number of shards', { origin: ORIGIN, shards: 2 }],
    ])('refuse %s, and so does the start', async (_, other) => {
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1 });
      await expect(migrate(database.ownerUrl, other)).rejects.toMatchObject({
        code: 'chain_mismatch',
        message: expect.stringContaining(`holds the chain of ${ORIGIN} in 1 shard(s)`),
      });
      await expect(check(database.ownerUrl, other)).rejects.toMatchObject({ code: 'chain_mismatch' });
      await check(database.ownerUrl, { origin: ORIGIN, shards: 1 });
    });

    it.each([
      [{ origin: '', shards: 1 }],
      [{ origin: 'a\nb', shards: 1 }],
      [{ origin: ORIGIN, shards: 0 }],
      [{ origin: ORIGIN, shards: 1.5 }],
    ])('refuse what cannot be: %j', async (options) => {
      await expect(migrate(database.ownerUrl, options)).rejects.toMatchObject({ code: 'invalid_request' });
    });

    it('refuse a runtime role that does not exist, or that is the owner', async () => {
      const options = { origin: ORIGIN, shards: 1 };
      await expect(
        migrate(database.ownerUrl, { ...options, runtimeRole: 'nobody_here' }),
      ).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('does not exist'),
      });
      await expect(
        migrate(database.ownerUrl, { ...options, runtimeRole: postgres().ownerRole }),
      ).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('a role of its own'),
      });
    });

    it('refuse one role for the kernel and the workers', async () => {
      const { runtimeRole } = postgres();
      await expect(
        migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole, workerRole: runtimeRole }),
      ).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining('must not be able to append'),
      });
    });

    it('cannot be run by the runtime role', async () => {
      await expect(migrate(database.runtimeUrl, { origin: ORIGIN, shards: 1 })).rejects.toMatchObject({
        message: expect.stringContaining('permission denied'),
      });
    });
  });

  describe('assertMigrated', () => {
    eachInItsOwnDatabase();

    it('refuses an empty database and names what is missing', async () => {
      await expect(check(database.runtimeUrl)).rejects.toMatchObject({
        code: 'not_migrated',
        message: expect.stringContaining('EventLog1764000000000'),
      });
    });

    it('refuses a role without rights', async () => {
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1 });
      await expect(check(database.runtimeUrl)).rejects.toMatchObject({ code: 'not_migrated' });
    });

    it('refuses a database whose guards were switched off', async () => {
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
      await run(database.ownerUrl, 'ALTER TABLE kernel.events DISABLE TRIGGER events_refuse_change');
      await expect(check(database.runtimeUrl)).rejects.toMatchObject({
        code: 'not_migrated',
        message: expect.stringContaining('events_refuse_change'),
      });
    });

    it('says that the store is unavailable when it cannot ask', async () => {
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
      await withDataSource(database.runtimeUrl, async (dataSource) => {
        await database.drop();
        await expect(assertMigrated(dataSource)).rejects.toMatchObject({ code: 'store_unavailable' });
      });
    });
  });

  describe('assertRuntimeRole', () => {
    eachInItsOwnDatabase();

    it('accepts the runtime role and refuses owner and superuser', async () => {
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
      await withDataSource(database.runtimeUrl, assertRuntimeRole);
      await expect(withDataSource(database.ownerUrl, assertRuntimeRole)).rejects.toMatchObject({
        details: { powers: expect.arrayContaining(['owner', 'UPDATE', 'DELETE', 'TRUNCATE']) },
      });
      await expect(withDataSource(database.superuserUrl, assertRuntimeRole)).rejects.toMatchObject({
        details: { powers: expect.arrayContaining(['superuser']) },
      });
    });
  });

  describe('the role of the workers', () => {
    allInOneDatabaseWithEvents();

    it('is accepted as such, and the one that may append is not', async () => {
      await withDataSource(database.workerUrl, assertWorkerRole);
      await withDataSource(database.workerUrl, (dataSource) =>
        assertMigrated(dataSource, { origin: ORIGIN, shards: 1 }),
      );
      await expect(withDataSource(database.runtimeUrl, assertWorkerRole)).rejects.toMatchObject({
        details: { powers: ['INSERT'] },
      });
    });

    it.each([
      `INSERT INTO kernel.events SELECT * FROM kernel.events`,
      `UPDATE kernel.shard_head SET seq = 4`,
      `SELECT * FROM kernel.idempotency`,
      `DELETE FROM kernel.relay_cursors`,
      `DELETE FROM kernel.leadership`,
      `SELECT * FROM kernel.audit_runs`,
      `UPDATE kernel.audit_runs SET outcome = 'clean'`,
      `DELETE FROM kernel.audit_runs`,
      `TRUNCATE kernel.audit_runs`,
      // Neither the order nor the time of recording is the writer's to choose.
      `INSERT INTO kernel.audit_runs (n, id, started_at, outcome) OVERRIDING SYSTEM VALUE
       VALUES (9000000000000000000, gen_random_uuid(), now(), 'failed')`,
      `INSERT INTO kernel.audit_runs (recorded_at, id, started_at, outcome) VALUES (now(), gen_random_uuid(), now(), 'failed')`,
      `SELECT kernel.keep_newest_audit_runs()`,
      `CREATE TABLE kernel.mine (a int)`,
    ])('has no right to %s', async (statement) => {
      await expect(run(database.workerUrl, statement)).rejects.toMatchObject({ code: '42501' });
    });

    it('adds audits, of which the newest thousand stay, and none that could not be read', async () => {
      const add = (count: number) =>
        run(
          database.workerUrl,
          `INSERT INTO kernel.audit_runs (id, started_at, outcome, message)
           SELECT gen_random_uuid(), now(), 'failed', 'no. ' || n FROM generate_series(1, ${count}) n ORDER BY n`,
        );
      await add(1_001);
      await add(1);
      const [kept] = await run(
        database.runtimeUrl,
        `SELECT count(*)::int AS count, min(n)::int AS first, bool_and(recorded_at BETWEEN now() - interval '1 hour' AND now()) AS timed
         FROM kernel.audit_runs`,
      );
      expect(kept).toEqual({ count: 1_000, first: 3, timed: true });
      for (const [columns, values] of [
        ['started_at, outcome', `'infinity', 'failed'`],
        ['started_at, outcome', `now(), 'perfect'`],
        ['started_at, outcome', `now(), 'clean'`],
        ['started_at, outcome, seal', `now(), 'failed', 'x'`],
        ['started_at, outcome, events, findings', `now(), 'clean', 9223372036854775807, 0`],
        ['started_at, outcome, message', `now(), 'failed', repeat('x', 2001)`],
        [
          'started_at, outcome, events, findings, report',
          `now(), 'clean', 1, 0, convert_to(repeat('x', 4194305), 'UTF8')`,
        ],
      ] as const) {
        await expect(
          run(
            database.workerUrl,
            `INSERT INTO kernel.audit_runs (id, ${columns}) VALUES (gen_random_uuid(), ${values})`,
          ),
        ).rejects.toMatchObject({ code: '23514' });
      }
    });

    it('moves a cursor and an epoch forward, never back', async () => {
      const hash = `decode(repeat('ab', 32), 'hex')`;
      await run(
        database.workerUrl,
        `INSERT INTO kernel.relay_cursors VALUES (0, 2, ${hash}, 2, now(), now())`,
        `INSERT INTO kernel.leadership VALUES ('job', 2, 'me', 1, now(), now())`,
      );
      for (const back of [
        'UPDATE kernel.relay_cursors SET seq = 1',
        'UPDATE kernel.relay_cursors SET epoch = 1',
        'UPDATE kernel.leadership SET epoch = 1',
      ]) {
        await expect(run(database.workerUrl, back)).rejects.toMatchObject({ code: '23001' });
      }
      await run(database.workerUrl, 'UPDATE kernel.relay_cursors SET seq = 3, epoch = 3');
      expect(await run(database.runtimeUrl, 'SELECT seq, epoch FROM kernel.relay_cursors')).toEqual([
        { seq: '3', epoch: '3' },
      ]);
    });
  });

  describe('what is written stays', () => {
    allInOneDatabaseWithEvents();

    const changes = [
      `UPDATE kernel.events SET type = 'other.thing'`,
      `UPDATE kernel.events SET type = type WHERE false`,
      `DELETE FROM kernel.events`,
      `TRUNCATE kernel.events`,
      `INSERT INTO kernel.events SELECT * FROM kernel.events ON CONFLICT (shard, seq) DO UPDATE SET canonical = ''`,
      `MERGE INTO kernel.events e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE`,
      `UPDATE kernel.chain SET origin = 'other'`,
      `DELETE FROM kernel.chain`,
      `TRUNCATE kernel.chain`,
      `DELETE FROM kernel.shard_head`,
      `TRUNCATE kernel.shard_head`,
    ];

    it.each(changes)('for the owner and a superuser: %s', async (statement) => {
      for (const url of [database.ownerUrl, database.superuserUrl]) {
        await expect(run(url, statement)).rejects.toMatchObject({ code: '23001' });
      }
    });

    it('for a session that plays replica, which skips ordinary triggers', async () => {
      await expect(
        run(database.superuserUrl, 'SET session_replication_role = replica', 'DELETE FROM kernel.events'),
      ).rejects.toMatchObject({ code: '23001' });
    });

    it.each([
      ...changes,
      `DROP TABLE kernel.events`,
      `ALTER TABLE kernel.events DISABLE TRIGGER ALL`,
      `SET session_replication_role = replica`,
      `UPDATE kernel.idempotency SET body = ''`,
      `INSERT INTO kernel.shard_head VALUES (1, 0, decode(repeat('00', 32), 'hex'), NULL)`,
      `INSERT INTO kernel.migrations (timestamp, name) VALUES (1, 'x')`,
      `INSERT INTO kernel.stream_positions VALUES ('indexer', 0, 1, decode(repeat('00', 32), 'hex'))`,
      `INSERT INTO kernel.audit_runs (id, started_at, outcome) VALUES (gen_random_uuid(), now(), 'failed')`,
      `DELETE FROM kernel.audit_runs`,
      `CREATE TABLE kernel.mine (a int)`,
      `CREATE FUNCTION kernel.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    ])('for the runtime role, which has no right to try: %s', async (statement) => {
      await expect(run(database.runtimeUrl, statement)).rejects.toMatchObject({ code: '42501' });
    });
  });

  describe('rows only continue a shard', () => {
    allInOneDatabaseWithEvents();

    /** Statement that inserts the last row again, as another event at another place. */
    const insert = (seq: number, version = seq): string =>
      `INSERT INTO kernel.events SELECT shard, ${seq}, gen_random_uuid(), ts, type, 'forged/1', ${version}, actor_id, division, signer_kid, hash, canonical
       FROM kernel.events WHERE seq = 3`;
    const moveHead = (seq: number): string => `UPDATE kernel.shard_head SET seq = ${seq}`;

    it.each([
      ['beyond the head', [insert(4)]],
      ['with a gap', [moveHead(5), insert(5)]],
      ['before the head has moved there', [insert(4), moveHead(4)]],
      ['further than the rows', [moveHead(5), insert(4)]],
      ['back', [moveHead(2)]],
      ['without a row', [moveHead(4)]],
      [
        'to another hash than the row has',
        [`UPDATE kernel.shard_head SET seq = 4, hash = decode(repeat('ab', 32), 'hex')`, insert(4)],
      ],
      ['back in time', [`UPDATE kernel.shard_head SET seq = 4, ts = ts - interval '1 second'`, insert(4)]],
    ])('%s is refused to the runtime role and the owner', async (_, statements) => {
      for (const url of [database.runtimeUrl, database.ownerUrl]) {
        await expect(run(url, 'BEGIN', ...statements, 'COMMIT')).rejects.toMatchObject({ code: '23001' });
      }
    });

    it('and may continue it', async () => {
      const seen = await run(
        database.runtimeUrl,
        'BEGIN',
        moveHead(4),
        insert(4, 1),
        'SET CONSTRAINTS ALL IMMEDIATE',
        'SELECT max(seq) FROM kernel.events',
      );
      expect(seen).toEqual([{ max: '4' }]);
    });

    it('whatever operators a session puts first', async () => {
      await expect(
        run(
          database.superuserUrl,
          'CREATE SCHEMA evil',
          `CREATE FUNCTION evil.yes(bigint, bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'`,
          `CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.yes)`,
          `SET search_path = evil, pg_catalog`,
          insert(9),
        ),
      ).rejects.toMatchObject({ code: '23001' });
    });
  });
});
