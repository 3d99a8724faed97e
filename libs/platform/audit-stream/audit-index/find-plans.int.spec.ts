import { Client } from 'pg';
import {
  type FollowedFilter,
  IndexQueries,
  type IndexQuery,
  migrate,
  openEventStoreDataSource,
} from '#platform/event-store';
import { migratedBy, type TestDatabase, withOwnPostgres } from '#dev/testing';
import { AuditIndex } from './audit-index';

const EVENTS = 1_000_000;
const LIMIT = 20;

/**
 * Rows of which only the columns matter. One digest in a thousand signatures, one correlation for each two events; the
 * aggregate `large` has nine events of ten, `large/9...` some of its streams.
 */
const FILL = `
  SET maintenance_work_mem = '512MB';
  SELECT kernel_index.rebuild_begin();
  INSERT INTO kernel_index.events_next
    (id, shard, seq, type, stream, stream_version, actor_id, ts, signer_kid, division, hash, payload, canonical,
     correlation_id, sha256)
  SELECT gen_random_uuid(), 0, n, CASE WHEN n % 10 = 0 THEN 'manifest.signed' ELSE 'common.came' END,
         CASE WHEN n % 10 = 0 THEN 'manifest/' || n ELSE 'large/' || n END, 1, 'actor-' || n % 40,
         '2026-02-01'::timestamptz - make_interval(secs => ${EVENTS} - n),
         CASE WHEN n <= 500000 THEN 'kid-1' ELSE 'kid-2' END, CASE WHEN n % 100 = 0 THEN 'product' END,
         sha256(n::text::bytea), '{}', '{}', lpad((n / 2)::text, 32, '0')::uuid,
         CASE WHEN n % 10 = 0 THEN sha256((n % 10000)::text::bytea) END
  FROM generate_series(1, ${EVENTS}) n;
  SELECT kernel_index.rebuild_complete();
  SELECT kernel_index.rebuild_swap('indexer', '{}')`;

const postgres = withOwnPostgres({ settings: { autovacuum: 'off' } });

describe('finding among a million events', () => {
  let database: TestDatabase;
  let admin: Client;
  let digest: string;

  beforeAll(async () => {
    const { runtimeRole, workerRole } = postgres();
    database = await postgres().createDatabase(
      migratedBy(migrate, { origin: 'kernel.example.com/test', shards: 1, runtimeRole, workerRole }),
    );
    admin = new Client({ connectionString: database.superuserUrl });
    await admin.connect();
    await admin.query(FILL);
    const { rows } = await admin.query<{ sha256: string }>(`SELECT encode(sha256('0'), 'hex') AS sha256`);
    digest = rows[0]?.sha256 ?? '';
  }, 300_000);
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });
  /** Rows of the table that the server has read so far, through an index or not. */
  async function rowsRead(): Promise<number> {
    // A session reports its work at its end at the latest.
    for (;;) {
      const { rowCount } = await admin.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'find-plans' AND datname = current_database()`,
      );
      if (rowCount === 0) break;
    }
    const { rows } = await admin.query<{ rows: string }>(
      `SELECT sum(seq_tup_read + idx_tup_fetch) AS rows FROM pg_stat_user_tables WHERE schemaname = 'kernel_index' AND relname = 'events'`,
    );
    return Number(rows[0]?.rows);
  }

  it.each<[string, IndexQuery, number]>([
    ['a digest', { sha256: '0' }, 0],
    ['a key', { signerKid: 'kid-2' }, 0],
    ['a key that never signed', { signerKid: 'kid-3' }, 0],
    ['a request', { correlationId: '00000000-0000-0000-0000-000000250000' }, 0],
    ['a division', { division: 'product' }, 0],
    ['a whole aggregate', { subject: 'large/' }, 0],
    ['an aggregate that is not there', { subject: 'nothing/' }, 0],
    // 1,000 of the streams, or one in ten, of which nine tenths lie at the end: read by name and sorted, or in order.
    ['some streams', { subject: 'large/9876' }, 200],
    ['many streams', { subject: 'large/98' }, 15_000],
    ['streams that are not there', { subject: 'large/x' }, 0],
    ['a digest in a division', { sha256: '0', division: 'product' }, 1_000],
    ['a key, and a whole aggregate', { signerKid: 'kid-1', subject: 'large/' }, 0],
  ])('%s: no scan, whichever way', async (_, query, extra) => {
    const before = await rowsRead();
    const runtime = await openEventStoreDataSource({
      url: database.runtimeUrl,
      applicationName: 'find-plans',
      poolSize: 1,
    });
    try {
      const index = new AuditIndex({ dataSource: runtime, shards: 1 });
      const asked = query.sha256 === undefined ? query : { ...query, sha256: digest };
      for (const order of ['oldest', 'newest'] as const) {
        const first = await index.query({ ...asked, order, limit: LIMIT });
        if (first.nextCursor !== null) {
          await index.query({ ...asked, order, limit: LIMIT, cursor: first.nextCursor });
        }
      }
    } finally {
      await runtime.destroy();
    }
    const after = await rowsRead();
    // Four pages of one row more than the limit, and some for rows between.
    expect(after - before).toBeLessThan(4 * (LIMIT + 1 + extra) + 40);
  });

  it.each<[string, FollowedFilter, number, number]>([
    // The common type is nine of ten; `manifest.signed` one of ten, `never.came` none.
    ['several types, from the beginning', { types: ['manifest.signed', 'common.came'] }, 0, LIMIT],
    ['several types, at the end', { types: ['manifest.signed', 'common.came'] }, EVENTS - 5, 5],
    ['types of which one never came', { types: ['manifest.signed', 'never.came'] }, 0, LIMIT],
    ['types that never came', { types: ['never.came', 'other.came'] }, 0, 0],
    ['a type that is named twice', { types: ['manifest.signed', 'manifest.signed'] }, 0, LIMIT],
  ])('following %s: as many rows as are returned', async (_, filter, place, count) => {
    const before = await rowsRead();
    const runtime = await openEventStoreDataSource({
      url: database.runtimeUrl,
      applicationName: 'find-plans',
      poolSize: 1,
    });
    try {
      const queries = new IndexQueries({ dataSource: runtime, shards: 1 });
      expect(await queries.after(filter, new Map([[0, place]]), LIMIT)).toHaveLength(count);
    } finally {
      await runtime.destroy();
    }
    // A page of each type.
    expect((await rowsRead()) - before).toBeLessThanOrEqual(2 * (LIMIT + 1));
  });
});
