import { FaultyWire, withPostgres } from '#dev/testing';
import { Database, openConnections, poolOf } from './database';
import { openEventStoreDataSource } from '#platform/event-store';

const postgres = withPostgres();

describe('Database', () => {
  async function withDatabase<T>(
    options: { poolSize: number; timeoutMs?: number; statementTimeoutMs?: number },
    use: (database: Database) => Promise<T>,
  ): Promise<T> {
    const { poolSize, timeoutMs = 20_000, statementTimeoutMs = 0 } = options;
    const url = postgres().urlFor('superuser', 'postgres');
    const dataSource = await openEventStoreDataSource({ url, poolSize, statementTimeoutMs });
    try {
      return await use(new Database(dataSource, timeoutMs));
    } finally {
      await dataSource.destroy();
    }
  }

  it('opens all connections beforehand, and gives them back', async () => {
    const dataSource = await openEventStoreDataSource({
      url: postgres().urlFor('superuser', 'postgres'),
      poolSize: 4,
    });
    try {
      await openConnections(dataSource);
      const { totalCount, idleCount } = poolOf(dataSource);
      expect({ totalCount, idleCount }).toEqual({ totalCount: 4, idleCount: 4 });
    } finally {
      await dataSource.destroy();
    }
  });

  it('keeps connections for appends, however many readers there are', () =>
    withDatabase({ poolSize: 4 }, async (database) => {
      let asleep = 0;
      const readers = Array.from({ length: 8 }, async () => {
        asleep++;
        await database.query('SELECT pg_sleep(0.5)', []);
        asleep--;
      });
      await database.step({ name: 'step', text: 'SELECT 1' }, []);
      expect(asleep).toBe(8);
      await Promise.all(readers);
    }));

  it('tells a reader that no connection became free in time', () =>
    withDatabase({ poolSize: 2, timeoutMs: 300 }, async (database) => {
      const lock = `SELECT pg_advisory_xact_lock(77)`;
      await withDatabase({ poolSize: 1 }, (other) =>
        other.session(async (session) => {
          await session.script(`BEGIN; ${lock}`);
          const results = await Promise.allSettled([1, 2, 3].map(() => database.query(lock, [])));
          expect(
            results.map((result) => result.status === 'rejected' && (result.reason as Error).message),
          ).toEqual([
            'PostgreSQL did not answer within 300 ms',
            expect.stringContaining('were busy for 300 ms'),
            expect.stringContaining('were busy for 300 ms'),
          ]);
          await session.script('ROLLBACK');
        }),
      );
      expect(await database.query('SELECT 1 AS one', [])).toEqual([{ one: 1 }]);
    }));

  it('has the server give up what nobody waits for any more, and keeps the connection', () =>
    withDatabase({ poolSize: 1, statementTimeoutMs: 100 }, async (database) => {
      const pid = async () =>
        (await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', []))[0]?.pid;
      const before = await pid();
      await expect(database.query('SELECT pg_sleep(10)', [])).rejects.toMatchObject({ code: 'busy' });
      expect(await pid()).toBe(before);
    }));

  it.each([
    ['a text with U+0000', 'SELECT $1::text', 'a\0'],
    ['a time before the first year', 'SELECT $1::timestamptz', '0000-12-31T18:30:00.000Z'],
    ['a number out of its range', 'SELECT $1::integer', '4294967296'],
  ])('tells %s from a server that is away', (_what, statement, value) =>
    withDatabase({ poolSize: 1 }, async (database) => {
      await expect(database.query(statement, [value])).rejects.toMatchObject({ code: 'invalid_value' });
    }),
  );

  it('gives up a connection on which the server went silent', () =>
    withDatabase({ poolSize: 1, timeoutMs: 200 }, async (database) => {
      await expect(database.query('SELECT pg_sleep(10)', [])).rejects.toMatchObject({ code: 'lost' });
      expect(await database.query('SELECT 1 AS one', [])).toEqual([{ one: 1 }]);
    }));

  it('when one connection is lost, gives up the idle ones as well, and keeps those that answer', async () => {
    const wire = await FaultyWire.open();
    const url = wire.through(postgres().urlFor('superuser', 'postgres'));
    const dataSource = await openEventStoreDataSource({ url, poolSize: 4, statementTimeoutMs: 0 });
    try {
      await openConnections(dataSource);
      const database = new Database(dataSource, 500);
      const pids = async () =>
        (
          await Promise.all(
            Array.from({ length: 4 }, () =>
              database.session((session) =>
                session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, pg_sleep(0.05)', []),
              ),
            ),
          )
        ).map(([row]) => row?.pid);
      const before = await pids();
      wire.freeze({ newConnections: false });
      await expect(database.query('SELECT 1', [])).rejects.toMatchObject({ code: 'lost' });
      // Not one of these waits for a server that is gone.
      const after = await pids();
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      expect((await pids()).toSorted()).toEqual(after.toSorted());
    } finally {
      wire.cut();
      await dataSource.destroy();
      await wire.close();
    }
  });
});
