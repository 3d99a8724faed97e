import { type TestDatabase, withPostgres } from '#dev/testing';
import {
  append,
  event,
  openStore,
  type OpenStore,
  ORIGIN,
  run,
  until,
  verifyChain,
  write,
} from '../fixtures/store.fixture';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import { assertRuntimeRole } from '../schema/role-rights';
import { assertMigrated } from '../schema/assert-migrated';
import { migrate } from '../schema/migrate';
import { type PartitionRoom } from '../event-store.types';

const SIZE = 20;

function inShardOne(store: { shardOf(stream: string): number }): string {
  const streams = Array.from({ length: 50 }, (_, n) => `thing/${n}`);
  return streams.find((stream) => store.shardOf(stream) === 1) ?? '';
}

describe('the partitions of the event log', () => {
  const postgres = withPostgres();
  const signer = new InProcessSigner();
  let database: TestDatabase;
  let opened: OpenStore[];

  beforeEach(async () => {
    database = await postgres().createDatabase();
    opened = [];
    await prepare({ shards: 2 });
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await database.drop();
  });

  async function prepare({ shards }: { shards: number }): Promise<void> {
    const { runtimeRole, workerRole } = postgres();
    await migrate(database.ownerUrl, {
      origin: ORIGIN,
      shards,
      runtimeRole,
      workerRole,
      partitionEvents: SIZE,
    });
  }

  async function open(options: Parameters<typeof openStore>[1] = {}): Promise<OpenStore> {
    const store = await openStore(database, { shards: 2, signer, ...options });
    opened.push(store);
    return store;
  }

  const ofShard = (shard: number) =>
    run(
      database.runtimeUrl,
      `SELECT name, from_seq, to_seq FROM kernel.partitions WHERE shard = ${shard} ORDER BY from_seq`,
    );

  /** Streams of governance lie in shard 0. */
  const fill = async ({ store }: OpenStore, count: number, stream = 'agent/filler'): Promise<void> => {
    await store.append(append(write(stream, { events: Array.from({ length: count }, () => event()) })));
  };

  it('are made ahead of the head, each once, by whichever process looks first', async () => {
    expect(await ofShard(0)).toEqual([{ name: 'events_0_1', from_seq: '1', to_seq: '21' }]);
    const stores = await Promise.all([open(), open(), open()]);
    await fill(stores[0], 11);
    await Promise.all(stores.map(({ store }) => store.keepRoom()));
    expect(await ofShard(0)).toEqual([
      { name: 'events_0_1', from_seq: '1', to_seq: '21' },
      { name: 'events_0_21', from_seq: '21', to_seq: '41' },
    ]);
    expect(await ofShard(1)).toHaveLength(1);
  });

  it('are made by the timer, which says how much room there is', async () => {
    const rooms: (readonly PartitionRoom[])[] = [];
    const { store } = await open({
      limits: { partitionIntervalMs: 20 },
      observer: { onPartitions: (seen) => rooms.push(seen) },
    });
    await store.append(append(write('agent/filler', { events: Array.from({ length: 15 }, () => event()) })));
    await until(async () => (await ofShard(0)).length === 2, 'the second partition');
    await until(() => rooms.at(-1)?.[0]?.room === 25, 'the room that it gives');
    expect(rooms.at(-1)?.[1]).toEqual({ shard: 1, room: 20, size: SIZE });
  });

  it('are no bound for a group, a stream or a read', async () => {
    const store = await open();
    // Into partitions that nobody has made: the groups make them.
    await fill(store, 15);
    await fill(store, 20);
    await fill(store, 10);
    expect(store.retries).toContain('no_partition');
    expect((await ofShard(0)).map(({ from_seq }) => from_seq)).toEqual(['1', '21', '41']);
    expect(await store.store.read(0, { afterSeq: 0, limit: 100 })).toHaveLength(45);
    expect((await store.store.read(0, { afterSeq: 17, limit: 10 })).map(({ event: { seq } }) => seq)).toEqual(
      Array.from({ length: 10 }, (_, n) => 18 + n),
    );
    const stream = await store.store.loadStream('agent/filler', { fromVersion: 19 });
    expect(stream.map(({ event: { streamVersion } }) => streamVersion)).toEqual(
      Array.from({ length: 27 }, (_, n) => 19 + n),
    );
    const id = stream[3]?.event.id ?? '';
    expect((await store.store.getById(id))?.event.seq).toBe(22);
    const page = await store.store.query({ stream: 'agent/filler', order: 'newest', limit: 30 });
    expect(page.events.map(({ event: { seq } }) => seq)).toEqual(
      Array.from({ length: 30 }, (_, n) => 45 - n),
    );
    const rest = await store.store.query({
      order: 'oldest',
      limit: 30,
      cursor: (await store.store.query({ limit: 30 })).nextCursor ?? '',
    });
    expect(rest.events.map(({ event: { seq } }) => seq)).toEqual(
      Array.from({ length: 15 }, (_, n) => 31 + n),
    );
    const at = stream[10]?.event.ts ?? '';
    expect(await store.store.firstSeqAt(0, at)).toBe(
      (await store.store.read(0, { afterSeq: 0, limit: 100 })).find(({ event: { ts } }) => ts >= at)?.event
        .seq,
    );
    expect((await verifyChain(store.store, [signer.entry])).faults).toEqual([]);
  });

  it('do not hide a gap from a reader', async () => {
    const store = await open();
    for (let n = 0; n < 5; n++) await fill(store, 9);
    await run(
      database.ownerUrl,
      'ALTER TABLE kernel.events DISABLE TRIGGER events_refuse_change',
      'DELETE FROM kernel.events WHERE seq BETWEEN 4 AND 40',
    );
    const after = await store.store.read(0, { afterSeq: 3, limit: 5 });
    expect(after.map(({ event: { seq } }) => seq)).toEqual([41, 42, 43, 44, 45]);
    expect(await store.store.read(0, { afterSeq: 45, limit: 5 })).toEqual([]);
  });

  it('are not the bounds of what is unique', async () => {
    const store = await open();
    const id = '01900000-0000-7000-8000-000000000001';
    const given = (stream: string) => append(write(stream, { events: [{ ...event(), id }] }));
    await store.store.append(given('agent/one'));
    for (let n = 0; n < 5; n++) await fill(store, 9);
    // In another partition of the shard, and in another shard.
    await expect(store.store.append(given('agent/two'))).rejects.toMatchObject({
      code: 'duplicate_event_id',
    });
    await expect(store.store.append(given(inShardOne(store.store)))).rejects.toMatchObject({
      code: 'duplicate_event_id',
    });
    await expect(
      store.store.append(append(write('agent/one', { expectedVersion: 0 }))),
    ).rejects.toMatchObject({ code: 'version_conflict', details: { actual: 1 } });
    const [last] = await store.store.read(0, { afterSeq: 45, limit: 1 });
    const again = (columns: string): string[] => [
      'BEGIN',
      `UPDATE kernel.shard_head SET seq = 47, hash = decode('${last?.event.hash}', 'hex') WHERE shard = 0`,
      `INSERT INTO kernel.events SELECT 0, 47, ${columns}, actor_id, division, signer_kid, hash, canonical
       FROM kernel.events WHERE shard = 0 AND seq = 46`,
    ];
    await expect(
      run(database.runtimeUrl, ...again(`'${id}', ts, type, 'agent/new', 1`)),
    ).rejects.toMatchObject({ code: '23505', constraint: 'event_keys_pkey' });
    await expect(
      run(database.runtimeUrl, ...again(`gen_random_uuid(), ts, type, 'agent/one', 1`)),
    ).rejects.toMatchObject({ code: '23505', constraint: 'event_keys_stream_version_key' });
  });

  describe('keep what is written, whenever they were made', () => {
    beforeEach(async () => {
      const store = await open();
      await fill(store, 15);
      await fill(store, 10);
    });

    const changes = [
      `INSERT INTO kernel.events_0_21 SELECT 0, 30, gen_random_uuid(), ts, type, 'a', 1, actor_id, division, signer_kid, hash, canonical
       FROM kernel.events WHERE seq = 25`,
      `UPDATE kernel.events_0_21 SET type = 'other.thing'`,
      `DELETE FROM kernel.events_0_21`,
      `TRUNCATE kernel.events_0_21`,
      `DELETE FROM kernel.event_keys`,
      `UPDATE kernel.event_keys SET seq = 1`,
      `TRUNCATE kernel.event_keys`,
    ];

    it('from their owner and a superuser', async () => {
      for (const change of changes) {
        for (const url of [database.ownerUrl, database.superuserUrl]) {
          await expect(run(url, change)).rejects.toMatchObject({ code: '23001' });
        }
      }
      await expect(
        run(
          database.superuserUrl,
          'SET session_replication_role = replica',
          'DELETE FROM kernel.events_0_21',
        ),
      ).rejects.toMatchObject({ code: '23001' });
    });

    it('from the roles of the kernel and the workers, which have no right to try', async () => {
      for (const change of [
        ...changes,
        `SELECT FROM kernel.events_0_21`,
        `INSERT INTO kernel.event_keys VALUES (gen_random_uuid(), 1, 1, 0, 'a')`,
        `ALTER TABLE kernel.events DETACH PARTITION kernel.events_0_21`,
        `DROP TABLE kernel.events_0_21`,
        `CREATE TABLE kernel.mine PARTITION OF kernel.events FOR VALUES FROM (0, 900) TO (0, 901)`,
        `SELECT kernel.create_partition('mine')`,
        `SELECT kernel.attach_partition('events_0_21', 0, 900, 901)`,
        `SELECT kernel.guard_partition('events_0_21')`,
        `UPDATE kernel.partitioning SET events = 10`,
        `INSERT INTO kernel.detachments VALUES (0, 20, 1, gen_random_uuid(), '{}', '', '', now())`,
      ]) {
        for (const url of [database.runtimeUrl, database.workerUrl]) {
          await expect(run(url, change)).rejects.toMatchObject({ code: '42501' });
        }
      }
      await expect(run(database.workerUrl, 'SELECT kernel.make_partitions()')).rejects.toMatchObject({
        code: '42501',
      });
    });

    it('or the kernel does not start: a role that was given a right on one', async () => {
      const { dataSource } = opened[0] as OpenStore;
      await assertRuntimeRole(dataSource);
      await run(database.ownerUrl, `GRANT INSERT ON kernel.events_0_21 TO ${postgres().runtimeRole}`);
      await expect(assertRuntimeRole(dataSource)).rejects.toMatchObject({
        code: 'not_migrated',
        details: { powers: ['INSERT'] },
      });
      // Migrating again takes away what nobody should have.
      await prepare({ shards: 2 });
      await assertRuntimeRole(dataSource);
    });

    it.each(['partition_refuse_change', 'events_note_signer'])(
      'or the kernel does not start: %s switched off',
      async (trigger) => {
        const { dataSource } = opened[0] as OpenStore;
        await assertMigrated(dataSource, { origin: ORIGIN, shards: 2 });
        await run(database.ownerUrl, `ALTER TABLE kernel.events_0_21 DISABLE TRIGGER ${trigger}`);
        await expect(assertMigrated(dataSource)).rejects.toMatchObject({
          code: 'not_migrated',
          message: expect.stringContaining('kernel.events_0_21'),
        });
        await run(database.ownerUrl, `ALTER TABLE kernel.events_0_21 ENABLE ALWAYS TRIGGER ${trigger}`);
        await assertMigrated(dataSource);
      },
    );
  });

  it('that cannot be made stop nothing until the room is used up, and then it is said', async () => {
    await run(
      database.ownerUrl,
      `REVOKE EXECUTE ON FUNCTION kernel.make_partitions() FROM ${postgres().runtimeRole}`,
    );
    const seen: (Error | null)[] = [];
    const { store } = await open({
      limits: { storeTimeoutMs: 400 },
      observer: { onPartitions: (_, failure) => seen.push(failure) },
    });
    const filler = (count: number) =>
      append(write('agent/filler', { events: Array.from({ length: count }, () => event()) }));
    await store.append(filler(19));
    await store.keepRoom();
    expect(seen.at(-1)?.message).toContain('make_partitions');
    await store.append(filler(1));
    await expect(store.append(filler(1))).rejects.toMatchObject({
      code: 'store_unavailable',
      details: { committed: false },
    });
    // The other shard goes on.
    await store.append(append(write(inShardOne(store))));
    await prepare({ shards: 2 });
    await until(
      () =>
        store.append(filler(1)).then(
          () => true,
          () => false,
        ),
      'a group that makes its own partition',
    );
    await store.keepRoom();
    expect(seen.at(-1)).toBeNull();
    expect((await store.heads())[0]?.seq).toBe(21);
  });

  it('have the size that they are told, from then on, within bounds', async () => {
    const store = await open();
    await fill(store, 12);
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 2, partitionEvents: 100 });
    expect((await ofShard(0)).map(({ from_seq, to_seq }) => [from_seq, to_seq])).toEqual([
      ['1', '21'],
      ['21', '121'],
    ]);
    await expect(
      migrate(database.ownerUrl, { origin: ORIGIN, shards: 2, partitionEvents: 9 }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
