import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { type TestDatabase, withPostgres } from '#dev/testing';
import {
  type DataSource,
  migrate,
  newEventId,
  openEventStoreDataSource,
  RowKey,
} from '#platform/event-store';
import { type IntegrityAlarm } from '#platform/kernel-store';
import { Database } from '#platform/postgres';
import { type SessionRow, SessionTable, tokenHashOf } from './session-table';

const ORIGIN = 'kernel.example.com/test';
const ISSUER = 'https://idp.example.com';

describe('sessions in PostgreSQL', () => {
  const postgres = withPostgres();
  const rowKey = RowKey.random(ORIGIN);
  let database: TestDatabase;
  let dataSource: DataSource;
  /** Whoever has the password of the kernel's role. */
  let thief: Client;
  let alarms: string[];

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
  });
  beforeEach(async () => {
    alarms = [];
    thief = new Client({ connectionString: database.runtimeUrl });
    await thief.connect();
    await thief.query('DELETE FROM kernel.sessions');
  });
  afterEach(() => thief.end());
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const tableBy = (key: RowKey) =>
    new SessionTable(new Database(dataSource, 5_000), key, {
      raise: ({ message }) => void alarms.push(message),
    } as IntegrityAlarm);
  const table = () => tableBy(rowKey);

  const session = (token: string, over: Partial<SessionRow> = {}): SessionRow => ({
    id: newEventId(),
    tokenHash: tokenHashOf(token),
    person: { iss: ISSUER, sub: 'ada', sid: 'sid-1' },
    version: 1,
    createdAt: 1_000,
    seenAt: 1_000,
    idleEndsAt: 5_000,
    endsAt: 9_000,
    content: JSON.stringify({ person: { sub: 'ada' }, tokens: { refreshToken: 'a-refresh-token' } }),
    ...over,
  });
  const kept = async (over: Partial<SessionRow> = {}) => {
    const token = randomBytes(32).toString('base64url');
    const row = session(token, over);
    await table().write(row);
    return { token, row };
  };

  it('are found by their token, and by nothing that is stored', async () => {
    const { token, row } = await kept();
    expect(await table().find(token)).toEqual(row);
    expect(await table().find(row.id)).toBeNull();
    expect(await table().find(row.tokenHash.toString('base64url'))).toBeNull();
    expect(await table().find(row.tokenHash.toString('hex'))).toBeNull();
  });

  it('have neither token nor content in the database', async () => {
    const { token } = await kept();
    const { rows } = await thief.query<{ row: string }>('SELECT s::text AS row FROM kernel.sessions s');
    const text = rows[0]?.row ?? '';
    const hex = (value: string) => Buffer.from(value).toString('hex');
    for (const secret of [token, 'a-refresh-token']) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(hex(secret));
    }
  });

  it.each([
    ['the person', `sub = 'eve'`],
    ['the issuer', `iss = 'https://evil.example'`],
    ['the session of the provider', `sid = 'sid-2'`],
    ['no person', `kind = 'sign-in', iss = NULL, sub = NULL`],
    ['the id', `id = '018f0000-0000-7000-8000-000000000000'`],
    ['the version', 'version = 2'],
    ['the beginning', 'created_ms = 2000'],
    ['the last request', 'seen_ms = 4000'],
    ['the idle end', 'idle_ends_ms = 999999999999'],
    ['the end', 'ends_ms = 999999999999'],
    ['the token', 'token_hash = sha256($1)'],
    ['the content', `sealed = sealed || '\\x00'`],
    ['the MAC', `mac = sha256('x')`],
  ])('count no more when the database changes %s', async (_, change) => {
    const { token } = await kept();
    const other = 'a-token-of-the-thief';
    await thief.query(
      `UPDATE kernel.sessions SET ${change}`,
      change.includes('$1') ? [Buffer.from(other)] : [],
    );
    expect(await table().find(change.includes('$1') ? other : token)).toBeNull();
    expect(await table().list({ of: null, after: null, limit: 10, now: 0 })).toEqual([]);
    expect(alarms.join()).toContain('was not written by this kernel');
  });

  it('that were ended, and put back by whoever kept the row, are none once the end is in the chain', async () => {
    const { token, row } = await kept();
    const { rows } = await thief.query<{ row: unknown }>('SELECT to_jsonb(s) AS row FROM kernel.sessions s');
    await table().remove(token);
    await thief.query(
      'INSERT INTO kernel.sessions SELECT * FROM jsonb_populate_record(NULL::kernel.sessions, $1)',
      [rows[0]?.row],
    );
    // The row is genuine: until its end is recorded, it is what it was.
    expect(await table().find(token)).toEqual(row);
    const owner = new Client({ connectionString: database.ownerUrl });
    await owner.connect();
    for (const version of [1, 2]) {
      await owner.query(
        `INSERT INTO kernel.event_keys (id, seq, stream_version, shard, stream)
         VALUES ($1, $2, $2, 0, $3)`,
        [newEventId(), version, `session/${row.id}`],
      );
      expect(await table().find(token)).toEqual(version === 1 ? row : null);
    }
    await owner.end();
    await expect(thief.query('DELETE FROM kernel.event_keys')).rejects.toThrow('permission denied');
    expect(alarms).toEqual([]);
  });

  it('are not those of another person, whatever the server answers', async () => {
    const [own] = [await kept(), await kept({ person: { iss: ISSUER, sub: 'root', sid: null } })];
    const { rows } = await thief.query(`SELECT * FROM kernel.sessions WHERE sub = 'root'`);
    const lying = { query: () => Promise.resolve(rows) } as unknown as Database;
    const alarm = { raise: ({ message }) => void alarms.push(message) } as IntegrityAlarm;
    expect(await new SessionTable(lying, rowKey, alarm).find(own.token)).toBeNull();
    expect(alarms.join()).toContain('is another than the one that was asked for');
  });

  it('cannot be made of two others', async () => {
    const [own, admin] = [await kept(), await kept({ person: { iss: ISSUER, sub: 'root', sid: null } })];
    await thief.query(
      `UPDATE kernel.sessions s SET sealed = o.sealed, mac = o.mac FROM kernel.sessions o
       WHERE s.id = $1 AND o.id = $2`,
      [own.row.id, admin.row.id],
    );
    expect(await table().find(own.token)).toBeNull();
  });

  it('count under the key before, and not under another', async () => {
    const lines = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));
    const [first = '', second = ''] = lines;
    const token = 'a-token';
    await tableBy(RowKey.parse(first, ORIGIN)).write(session(token));
    expect(await tableBy(RowKey.parse(`${second}\n${first}`, ORIGIN)).find(token)).not.toBeNull();
    expect(await tableBy(RowKey.parse(second, ORIGIN)).find(token)).toBeNull();
  });

  it('are written over the version that was read, or not at all', async () => {
    const { token, row } = await kept();
    const next = { ...row, version: 2, seenAt: 2_000 };
    const attempts = await Promise.allSettled([
      table().write(next),
      table().write(next),
      table().write(next),
    ]);
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(table().write(row)).rejects.toMatchObject({ code: 'session_changed' });
    expect(await table().find(token)).toEqual(next);
  });

  it('that have ended cannot be written again', async () => {
    const { token, row } = await kept();
    await table().remove(token);
    await expect(table().write({ ...row, version: 2 })).rejects.toMatchObject({ code: 'session_changed' });
  });

  it('end by person, or by session of the provider, and no one else does', async () => {
    const person = (sub: string, sid: string | null, iss = ISSUER) => ({ person: { iss, sub, sid } });
    const all = [
      await kept(person('ada', 'sid-1')),
      await kept(person('ada', 'sid-2')),
      await kept(person('eve', 'sid-1', 'https://other.example')),
      await kept(person('eve', 'sid-3')),
      await kept({ person: null }),
    ];
    const ended = async (of: Parameters<SessionTable['removeByPerson']>[0]) =>
      (await table().removeByPerson(of)).map(({ id }) => all.findIndex(({ row }) => row.id === id)).sort();
    expect(await ended({ iss: ISSUER, sub: null, sid: null })).toEqual([]);
    expect(await ended({ iss: ISSUER, sub: 'eve', sid: 'sid-1' })).toEqual([]);
    expect(await ended({ iss: ISSUER, sub: null, sid: 'sid-1' })).toEqual([0]);
    expect(await ended({ iss: ISSUER, sub: 'ada', sid: null })).toEqual([1]);
    expect(await table().find(all[2]?.token ?? '')).not.toBeNull();
  });

  it('of others are neither listed for a person nor ended by them', async () => {
    const [own, other] = [await kept(), await kept({ person: { iss: ISSUER, sub: 'eve', sid: null } })];
    const ada = { iss: ISSUER, sub: 'ada' };
    const list = await table().list({ of: ada, after: null, limit: 10, now: 0 });
    expect(list.map(({ id }) => id)).toEqual([own.row.id]);
    expect(await table().removeById(other.row.id, ada)).toBeNull();
    expect(await table().removeById(other.row.id, null)).toMatchObject({ id: other.row.id });
  });

  it('are listed in pages, without those that have ended', async () => {
    const rows = [await kept(), await kept(), await kept({ idleEndsAt: 2_000 }), await kept()].map(
      ({ row }) => row.id,
    );
    const page = async (after: string | null) =>
      (await table().list({ of: null, after, limit: 2, now: 3_000 })).map(({ id }) => id);
    expect(await page(null)).toEqual([rows[0], rows[1]]);
    expect(await page(rows[1] ?? null)).toEqual([rows[3]]);
  });

  it('that have ended are removed once, by whichever process is first', async () => {
    await Promise.all(Array.from({ length: 20 }, () => kept()));
    await kept({ idleEndsAt: 99_000, endsAt: 99_000 });
    const rounds = await Promise.all([table().removeEnded(6_000, 500), table().removeEnded(6_000, 500)]);
    expect(rounds.reduce((sum, { removed }) => sum + removed, 0)).toBe(20);
    expect(await table().removeEnded(6_000, 500)).toMatchObject({ removed: 0 });
  });
});
