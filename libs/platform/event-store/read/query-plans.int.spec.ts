import { Client } from 'pg';
import { withOwnPostgres } from '#dev/testing';
import {
  append,
  keyed,
  migrated,
  openStore,
  type OpenStore,
  type StoreDatabase,
  write,
} from '../fixtures/store.fixture';

const EVENTS = 50_000;
const ANSWERS = 20_000;

/** Rows of which only the columns matter; the guards apply to them as to any. */
const FILL = `
  WITH head AS (SELECT seq FROM kernel.shard_head WHERE shard = 0), moved AS (
    UPDATE kernel.shard_head SET seq = seq + ${EVENTS}, hash = sha256('${EVENTS}'), ts = '2026-02-01' RETURNING shard
  )
  INSERT INTO kernel.events
  SELECT 0, head.seq + n, gen_random_uuid(), '2026-02-01'::timestamptz - make_interval(secs => ${EVENTS} - n),
         CASE WHEN n % 9973 = 0 THEN 'rare.came' ELSE 'common.came' || n % 20 END,
         CASE WHEN n % 5 = 0 THEN 'large/1' ELSE 'small/' || n END, CASE WHEN n % 5 = 0 THEN n / 5 ELSE 1 END,
         'actor-' || n % 40, CASE WHEN n % 100 = 0 THEN 'product' END, 'kid', sha256(n::text::bytea), '{}'
  FROM head, generate_series(1, ${EVENTS}) n`;
const FILL_ANSWERS = `
  INSERT INTO kernel.idempotency
  SELECT 'service-1', 'old-' || n, 'h', 200, '{}', now(), sha256('') FROM generate_series(1, ${ANSWERS}) n`;

/** Work of the server on the growing tables: the partition of the log, the keys of its events, the answers since the last reading of the counters. */
interface Work {
  sequentialScans: number;
  /** Rows read, through an index or not. */
  rows: number;
}

const postgres = withOwnPostgres({ settings: { autovacuum: 'off' } });

describe('no hot statement scans a table', () => {
  let database: StoreDatabase & { superuserUrl: string; drop(): Promise<void> };
  let admin: Client;

  const prepare = async (): Promise<void> => {
    database = await migrated(postgres());
    admin = new Client({ connectionString: database.superuserUrl });
    await admin.connect();
  };
  const remove = async (): Promise<void> => {
    await admin.end();
    await database.drop();
  };

  async function counters(): Promise<Work> {
    const { rows } = await admin.query<{ scans: string; rows: string }>(
      `SELECT sum(seq_scan) AS scans, sum(seq_tup_read + idx_tup_fetch) AS rows
       FROM pg_stat_user_tables WHERE schemaname = 'kernel' AND relname ~ '^(events_0_1|event_keys|idempotency)$'`,
    );
    return { sequentialScans: Number(rows[0]?.scans), rows: Number(rows[0]?.rows) };
  }

  /** Waits for the sessions' end: a session reports its work at its end at the latest. */
  async function sessionsGone(): Promise<void> {
    for (;;) {
      const { rowCount } = await admin.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'event-store-test' AND datname = current_database()`,
      );
      if (rowCount === 0) return;
    }
  }

  async function workOf(use: (opened: OpenStore) => Promise<unknown>): Promise<Work> {
    await sessionsGone();
    const before = await counters();
    const opened = await openStore(database);
    try {
      await use(opened);
    } finally {
      await opened.close();
    }
    await sessionsGone();
    const after = await counters();
    return {
      sequentialScans: after.sequentialScans - before.sequentialScans,
      rows: after.rows - before.rows,
    };
  }

  const sample = async (): Promise<{ id: string; seq: number }> => {
    const { rows } = await admin.query<{ id: string; seq: string }>(
      `SELECT id, seq FROM kernel.events WHERE seq = ${EVENTS / 2}`,
    );
    return { id: rows[0]?.id ?? '', seq: Number(rows[0]?.seq) };
  };

  describe.each([
    ['with statistics', true],
    ['without', false],
  ])('at 50,000 events, %s', (_, analysed) => {
    beforeAll(async () => {
      await prepare();
      await admin.query(FILL);
      await admin.query(FILL_ANSWERS);
      if (analysed) await admin.query('ANALYZE');
      await admin.query('SELECT pg_stat_force_next_flush()');
    });
    afterAll(remove);

    it('appending', async () => {
      const work = await workOf(async ({ store }) => {
        for (let n = 0; n < 12; n++) {
          await store.append(keyed(`k${n}`, append(write('large/1'), write(`new/${n}`))));
          // Found by its key, and refused: no kernel made it.
          await expect(store.append(keyed(`old-${n + 1}`, append(), 'h'))).rejects.toMatchObject({
            code: 'integrity',
          });
        }
      });
      // Some lookups for each of 36 events and 24 keys.
      expect(work).toEqual({ sequentialScans: 0, rows: expect.any(Number) });
      expect(work.rows).toBeLessThan(400);
    });

    it('reading', async () => {
      const { id, seq } = await sample();
      const work = await workOf(async ({ store }) => {
        for (let n = 0; n < 8; n++) {
          await store.getById(id);
          await store.read(0, { afterSeq: seq, limit: 10 });
          await store.read(0, { afterSeq: seq, limit: 10, division: 'product' });
          await store.loadStream('large/1', { fromVersion: EVENTS / 5 - 10 });
          await store.loadStream(`small/${seq + 1}`);
          await expect(store.findAnswer('service-1', 'old-77')).rejects.toMatchObject({ code: 'integrity' });
        }
      });
      expect(work).toEqual({ sequentialScans: 0, rows: expect.any(Number) });
      // By id or stream, a key and then the event.
      expect(work.rows).toBeLessThan(8 * 75);
    });

    it('reading a few types, or hashes of leaves, after a position', async () => {
      const { seq } = await sample();
      const types = ['rare.came', 'common.came7', 'never.came'];
      const work = await workOf(async ({ store }) => {
        for (let n = 0; n < 8; n++) {
          const found = await store.readTypes(0, { afterSeq: seq, types, limit: 10 });
          expect(found.length).toBe(10);
          expect(await store.readTypes(0, { afterSeq: EVENTS + 100, types, limit: 10 })).toEqual([]);
        }
      });
      expect(work).toEqual({ sequentialScans: 0, rows: expect.any(Number) });
      expect(work.rows).toBeLessThan(8 * 50);
    });

    it('forgetting keys, of which none is old', async () => {
      const work = await workOf(({ store }) => store.purgeAnswers());
      expect(work).toEqual({ sequentialScans: 0, rows: 0 });
    });

    const middle = new Date(Date.UTC(2026, 1, 1) - (EVENTS / 2) * 1_000).toISOString();
    it.each([
      ['everything', {}],
      ['a type', { type: 'common.came7' }],
      ['a rare type', { type: 'rare.came' }],
      ['a type that never came', { type: 'never.came' }],
      ['an actor', { actor: 'actor-7' }],
      ['a division', { division: 'product' }],
      ['a large stream', { stream: 'large/1' }],
      ['a small stream', { stream: 'small/7' }],
      ['a time on', { from: middle }],
      ['a type from a time on', { from: middle, type: 'common.came7' }],
      ['a large stream from a time on', { from: middle, stream: 'large/1' }],
    ])('querying %s, both ways', async (_, query) => {
      const work = await workOf(async ({ store }) => {
        for (const order of ['oldest', 'newest'] as const) {
          const first = await store.query({ ...query, order, limit: 20 });
          if (first.nextCursor) await store.query({ ...query, order, limit: 20, cursor: first.nextCursor });
        }
      });
      expect(work).toEqual({ sequentialScans: 0, rows: expect.any(Number) });
      // Four pages of 21 rows, and 17 probes of a binary search for each that has a time; of a stream, a key and an event each. Before the first ANALYZE the
      // planner cannot know which of two conditions is the narrower one.
      expect(work.rows).toBeLessThan(analysed ? ('stream' in query ? 2 : 1) * 4 * (21 + 2 * 17) : 2_000);
    });
  });

  describe('not even one that was prepared', () => {
    beforeEach(prepare);
    afterEach(remove);

    it('while the table was empty', async () => {
      await sessionsGone();
      const before = await counters();
      const opened = await openStore(database, { poolSize: 1, now: () => Date.UTC(2026, 0, 1) });
      try {
        // Vacuumed empty: PostgreSQL knows now that a scan costs nothing.
        await admin.query('VACUUM ANALYZE');
        const everything = async (n: number): Promise<void> => {
          const result = await opened.store.append(keyed(`k${n}`, append(write(), write(`other/${n}`))));
          await opened.store.getById(result.replayed ? '' : (result.events[0]?.event.id ?? ''));
          await opened.store.loadStream(`other/${n}`);
          await opened.store.findAnswer('service-1', `k${n}`);
        };
        for (let n = 0; n < 12; n++) await everything(n);
        await admin.query(FILL);
        await admin.query(FILL_ANSWERS);
        for (let n = 12; n < 24; n++) await everything(n);
      } finally {
        await opened.close();
      }
      await sessionsGone();
      expect((await counters()).sequentialScans).toBe(before.sequentialScans);
    });
  });
});
