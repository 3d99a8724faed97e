import { Client } from 'pg';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { type StoredEvent } from '../event-store.types';
import { append, event, openStore, ORIGIN, verifyChain, write } from '../fixtures/store.fixture';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import { migrate } from '../schema/migrate';
import { StoreRestore } from './store-restore';

const SHARDS = 2;

describe('StoreRestore', () => {
  const postgres = withPostgres();
  const signer = new InProcessSigner();
  let lost: TestDatabase;
  let database: TestDatabase;
  /** Events of the lost store, by shard. */
  let chain: StoredEvent[][];
  let restores: StoreRestore[];

  const migrated = (target: TestDatabase, restore?: string): Promise<void> => {
    const { runtimeRole, workerRole } = postgres();
    const options = { origin: ORIGIN, shards: SHARDS, runtimeRole, workerRole };
    return migrate(target.ownerUrl, restore === undefined ? options : { ...options, restore });
  };

  beforeAll(async () => {
    lost = await postgres().createDatabase();
    await migrated(lost);
    const opened = await openStore(lost, { shards: SHARDS, signer });
    for (let n = 0; n < 40; n++) {
      const stream = `thing/${n}`;
      const events = Array.from({ length: 30 }, () => event({ n, division: 'product', odd: 'é\u0000"' }));
      await opened.store.append(append(write(stream, { events })));
    }
    chain = [];
    for (const { shard, seq } of await opened.store.heads()) {
      const events: StoredEvent[] = [];
      while (events.length < seq) {
        events.push(...(await opened.store.read(shard, { afterSeq: events.length, limit: 1_000 })));
      }
      chain.push(events);
    }
    await opened.close();
  });
  beforeEach(async () => {
    database = await postgres().createDatabase();
    restores = [];
  });
  afterEach(async () => {
    await Promise.all(restores.map((restore) => restore.close()));
    await database.drop();
  });

  async function open(): Promise<StoreRestore> {
    const restore = await StoreRestore.open({
      ownerUrl: database.ownerUrl,
      origin: ORIGIN,
      shards: SHARDS,
      divisionOf: ({ payload }) => payload['division'] as string,
      reason: 'the database was lost',
    });
    restores.push(restore);
    return restore;
  }

  async function query<R extends object>(target: TestDatabase, sql: string): Promise<R[]> {
    const client = new Client({ connectionString: target.superuserUrl });
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  const mode = async (): Promise<{ mode: string; restoring: boolean } | undefined> =>
    (
      await query<{ mode: string; restoring: boolean }>(database, 'SELECT mode, restoring FROM kernel.mode')
    )[0];

  const ofShard = (shard: number): StoredEvent[] => chain[shard] as StoredEvent[];

  it('fills an empty database with the same rows, and lets nobody else append meanwhile', async () => {
    const restore = await open();
    await migrated(database);
    expect(await mode()).toEqual({ mode: 'safe-mode', restoring: true });
    expect(await restore.isRestoring()).toBe(true);
    const kernel = await openStore(database, { shards: SHARDS, signer });
    await expect(kernel.store.append(append())).rejects.toThrow();
    for (const shard of [0, 1]) expect(await restore.add(shard, ofShard(shard))).toBeNull();
    await expect(kernel.store.append(append())).rejects.toThrow();
    const rows = `SELECT e.*, h.seq AS head FROM kernel.events e JOIN kernel.shard_head h USING (shard) ORDER BY shard, e.seq`;
    expect(await query(database, rows)).toEqual(
      (await query<{ division: string }>(lost, rows)).map((row) => ({ ...row, division: 'product' })),
    );
    await restore.finish('verified');
    expect(await mode()).toEqual({ mode: 'normal', restoring: false });
    await kernel.store.append(append());
    expect((await verifyChain(kernel.store, [signer.entry])).faults).toEqual([]);
    await kernel.close();
    expect(
      await query(
        database,
        'SELECT reason, end_reason, end_id <> begin_id AS ended FROM kernel.restores ORDER BY n',
      ),
    ).toEqual([{ reason: 'the database was lost', end_reason: 'verified', ended: true }]);
  });

  it('goes on where it was interrupted, and does again what was done', async () => {
    const first = await open();
    await first.add(0, ofShard(0).slice(0, 7));
    await first.close();
    restores = [];
    const second = await open();
    expect(second.heads()[0]).toMatchObject({ seq: 7, hash: ofShard(0)[6]?.event.hash });
    expect(await second.add(0, ofShard(0))).toBeNull();
    expect(await second.add(0, ofShard(0))).toBeNull();
    expect(second.heads()[0]?.seq).toBe(ofShard(0).length);
    expect(await mode()).toEqual({ mode: 'safe-mode', restoring: true });
  });

  it('names what the store has otherwise, and adds nothing to a store that went another way', async () => {
    await migrated(database);
    const kernel = await openStore(database, { shards: SHARDS, signer });
    await kernel.store.append(append(write('thing/0'), write('thing/0')));
    const { shard } = (await kernel.store.heads()).find(({ seq }) => seq > 0) ?? { shard: 0 };
    const restore = await open();
    // It holds events: nothing is marked before something is added.
    expect(await mode()).toEqual({ mode: 'normal', restoring: false });
    expect(await restore.add(shard, ofShard(shard))).toBe(ofShard(shard)[0]);
    expect(await mode()).toEqual({ mode: 'normal', restoring: false });
    expect(restore.heads()[shard]?.seq).toBe(2);
    await kernel.store.append(append());
    await kernel.close();
  });

  it('runs once at a time', async () => {
    await open();
    await expect(open()).rejects.toMatchObject({ message: 'Another restore of this database is under way.' });
  });

  it('leaves a database with events as it is when it is migrated for a restore', async () => {
    await migrated(database);
    const kernel = await openStore(database, { shards: SHARDS, signer });
    await kernel.store.append(append());
    await migrated(database, 'the state folder was used before');
    await kernel.store.append(append());
    await kernel.close();
    expect(await mode()).toEqual({ mode: 'normal', restoring: false });
  });
});
