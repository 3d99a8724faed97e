import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { archiveKey, FOUNDING_STREAM, FOUNDING_TYPE, foundingPayload } from '#evidence';
import { archivedEvent, FolderArchive } from '#platform/archive';
import { ChainEventVerifier, IndexWriter } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import {
  assertMigrated,
  detachPartitions,
  type DetachReport,
  EventLog,
  EventStore,
  listPartitions,
  migrate,
  openEventStoreDataSource,
  type StoredEvent,
} from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { archivedCopies } from './archived-copies';
import { publishedCheckpoints } from './published-checkpoints';

const ORIGIN = 'kernel.test/partitions';
const SIZE = 20;
/** Shard 0 has them in four full partitions and one that is written to. */
const EVENTS = 90;

describe('detaching partitions', () => {
  const postgres = withPostgres();
  const signer = new TestSigner('audit-1');
  let database: TestDatabase;
  let dir: string;
  let archive: FolderArchive;
  let runtime: DataSource;
  let worker: DataSource;
  let owner: Client;
  let store: EventStore;
  let events: StoredEvent[];

  beforeEach(async () => {
    const { runtimeRole, workerRole } = postgres();
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, {
      origin: ORIGIN,
      shards: 1,
      runtimeRole,
      workerRole,
      partitionEvents: SIZE,
    });
    dir = await mkdtemp(join(tmpdir(), 'kernel-partitions-'));
    archive = await FolderArchive.open({ dir });
    runtime = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 6 });
    worker = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 4, statementTimeoutMs: 0 });
    owner = new Client({ connectionString: database.ownerUrl });
    await owner.connect();
    store = newStore();
    const founding = foundingPayload({ origin: ORIGIN, shards: 1, approverPool: null });
    await write(FOUNDING_STREAM, [{ type: FOUNDING_TYPE, payload: { ...founding } }]);
    await write(`signer/${signer.kid}`, [{ type: 'signer.added', payload: { signer: { ...signer.entry } } }]);
    await write('mode/kernel', [{ type: 'mode.changed', payload: { change: 1, to: 'read-only' } }]);
    for (let n = 4; n <= EVENTS; n++) {
      await write(`thing/${n % 7}`, [
        { type: 'thing.changed', payload: { n, division: n % 2 === 0 ? 'product' : 'finance' } },
      ]);
    }
    await pipelined();
  });
  afterEach(async () => {
    await store.close();
    await owner.end();
    await runtime.destroy();
    await worker.destroy();
    await database.drop();
    await rm(dir, { recursive: true, force: true });
  });

  function newStore(): EventStore {
    let now = Date.parse('2026-01-30T23:59:00.000Z');
    return new EventStore({
      dataSource: runtime,
      origin: ORIGIN,
      shards: 1,
      now: () => (now += 1_000),
      signer: {
        activeKid: () => signer.kid,
        sign: async (_kid, inputs) => inputs.map((input) => signer.sign(input)),
      },
      verifier: new ChainEventVerifier({
        dataSource: runtime,
        origin: ORIGIN,
        roots: [signer.entry],
        divisionOf,
      }),
    });
  }

  async function write(stream: string, made: { type: string; payload: object }[]): Promise<void> {
    await store.append({
      actor: { id: 'test', kind: 'service', roles: [] },
      writes: [
        {
          stream,
          expectedVersion: 'any',
          events: made.map(({ type, payload }) => ({
            type,
            payload: { ...payload } as never,
            division: divisionOf(stream, payload as never),
          })),
        },
      ],
    });
  }

  /** Everything is published, indexed and archived. */
  async function pipelined(): Promise<void> {
    const index = new IndexWriter({ dataSource: worker, origin: ORIGIN, divisionOf });
    const { seq } = await index.position(0);
    const fresh = await store.read(0, { afterSeq: seq, limit: 1_000 });
    await index.apply(
      0,
      fresh.map(({ event, bytes }) => ({ event, bytes, nextCursor: String(event.seq) })),
    );
    for (const { event, bytes } of fresh) await archive.put(archivedEvent(event, bytes));
    const last = fresh.at(-1)?.event;
    await owner.query(
      `INSERT INTO kernel.relay_cursors VALUES (0, $1, decode($2, 'hex'), 1, $3, now())
       ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
      [last?.seq, last?.hash, last?.ts],
    );
    await owner.query(
      `INSERT INTO kernel.stream_positions (consumer, shard, seq, hash) VALUES ('archiver', 0, $1, decode($2, 'hex'))
       ON CONFLICT (consumer, shard) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
      [last?.seq, last?.hash],
    );
    events = await store.read(0, { afterSeq: 0, limit: 1_000 });
  }

  function detach(below: number, over: { dryRun?: boolean } = {}): Promise<DetachReport> {
    const trust = { dataSource: runtime, origin: ORIGIN, shards: 1, roots: [signer.entry] };
    return detachPartitions({
      ownerUrl: database.ownerUrl,
      origin: ORIGIN,
      shard: 0,
      below,
      reason: 'the disk is full',
      statedBy: 'admin',
      dryRun: false,
      verifier: new ChainEventVerifier({ ...trust, divisionOf }),
      archived: archivedCopies(archive),
      logged: publishedCheckpoints(archive, trust),
      ...over,
    });
  }

  const partitions = async (): Promise<string[]> =>
    (await listPartitions(runtime)).map(({ name, state }) => `${name} ${state}`);
  const WHOLE = [
    'events_0_1 full',
    'events_0_21 full',
    'events_0_41 full',
    'events_0_61 full',
    'events_0_81 written',
  ];
  const rows = async (): Promise<number> =>
    Number((await owner.query<{ count: string }>('SELECT count(*) FROM kernel.events')).rows[0]?.count);

  async function without(table: string, trigger: string, statement: string): Promise<void> {
    await owner.query(`ALTER TABLE ${table} DISABLE TRIGGER ${trigger}`);
    await owner.query(statement);
    await owner.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${trigger}`);
  }

  it('takes the oldest out, keeps what the kernel decides by, and says so in a row of the owner', async () => {
    expect(await partitions()).toEqual(WHOLE);
    expect(await detach(45, { dryRun: true })).toMatchObject({
      fromSeq: 1,
      toSeq: 40,
      kept: 3,
      eventId: null,
    });
    expect(await partitions()).toEqual(WHOLE);
    const report = await detach(45);
    expect(report).toEqual({
      shard: 0,
      fromSeq: 1,
      toSeq: 40,
      partitions: ['events_0_1', 'events_0_21'],
      kept: 3,
      checkpoint: null,
      eventId: expect.any(String),
    });
    expect(await partitions()).toEqual(['events_0_kept_40 kept', ...WHOLE.slice(2)]);
    expect(await rows()).toBe(EVENTS - 40 + 3);
    await assertMigrated(runtime, { origin: ORIGIN, shards: 1 });
    // Again, later: what was kept before is kept.
    expect(await detach(81)).toMatchObject({ fromSeq: 41, toSeq: 80, kept: 3 });
    expect(await partitions()).toEqual(['events_0_kept_80 kept', 'events_0_81 written']);
    const { rows: said } = await owner.query(
      `SELECT from_seq, to_seq, summary ->> 'lastHash' AS hash, reason, actor FROM kernel.detachments ORDER BY to_seq`,
    );
    expect(said).toEqual([
      {
        from_seq: '1',
        to_seq: '40',
        hash: events[39]?.event.hash,
        reason: 'the disk is full',
        actor: 'admin',
      },
      {
        from_seq: '41',
        to_seq: '80',
        hash: events[79]?.event.hash,
        reason: 'the disk is full',
        actor: 'admin',
      },
    ]);
  });

  it('leaves reads, versions and ids as they were, to kernel and workers', async () => {
    const everything = async (from: EventStore) => ({
      byId: await Promise.all(events.map(({ event }) => from.getById(event.id))),
      at: await Promise.all([1, 20, 40, 41, EVENTS].map((seq) => from.at(0, seq))),
      pages: await Promise.all([0, 10, 35, 40, 60].map((afterSeq) => from.read(0, { afterSeq, limit: 30 }))),
      division: await from.read(0, { afterSeq: 5, limit: 60, division: 'product' }),
      stream: await from.loadStream('thing/3'),
      tail: await from.loadStream('thing/3', { fromVersion: 4 }),
      kept: await from.loadStream(`signer/${signer.kid}`),
      newest: await from.query({ stream: 'thing/3', order: 'newest', limit: 5 }),
      oldest: await from.query({ stream: 'thing/3', type: 'thing.changed', limit: 20 }),
      since: await from.query({ stream: 'thing/3', from: events[24]?.event.ts ?? '' }),
      times: await Promise.all([0, 15, 39, 40, 70].map((n) => from.firstSeqAt(0, events[n]?.event.ts ?? ''))),
      never: await from.firstSeqAt(0, '2020-01-01T00:00:00.000Z'),
      signed: await from.signedBy(signer.kid, 0, 10),
      registry: (await from.registryRows()).map(({ seq }) => seq),
    });
    const before = await everything(store);
    await detach(41);
    expect(await everything(store)).toEqual(before);
    // A kernel that starts now, and the workers' side.
    await store.close();
    store = newStore();
    expect(await everything(store)).toEqual(before);
    const log = new EventLog({ dataSource: worker, shards: 1 });
    const told = await log.read(0, { afterSeq: 0, limit: 1_000 });
    expect(told.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(
      events.map(({ bytes }) => Buffer.from(bytes).toString()),
    );
    await log.close();

    await expect(
      store.append({
        actor: { id: 'test', kind: 'service', roles: [] },
        writes: [
          {
            stream: 'thing/new',
            expectedVersion: 0,
            events: [{ id: events[5]?.event.id ?? '', type: 'thing.changed', payload: {} }],
          },
        ],
      }),
    ).rejects.toMatchObject({ code: 'duplicate_event_id' });
    const versions = before.stream.length;
    await write('thing/3', [{ type: 'thing.changed', payload: {} }]);
    expect((await store.loadStream('thing/3')).at(-1)?.event.streamVersion).toBe(versions + 1);
    expect((await store.heads())[0]?.seq).toBe(EVENTS + 1);
  });

  it('says what is missing while the index is away, and serves what stays', async () => {
    await detach(41);
    await owner.query('ALTER TABLE kernel_index.events DISABLE TRIGGER USER');
    await owner.query('TRUNCATE kernel_index.events');
    for (const ask of [
      () => store.getById(events[10]?.event.id ?? ''),
      () => store.read(0, { afterSeq: 0, limit: 5 }),
      () => store.loadStream('thing/3'),
      () => store.signedBy(signer.kid, 0, 1),
      () => store.firstSeqAt(0, events[3]?.event.ts ?? ''),
    ]) {
      await expect(ask()).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('./kernel replay --from archive --to index'),
      });
    }
    expect((await store.at(0, 1))?.event.stream).toBe(FOUNDING_STREAM);
    expect(await store.loadStream('mode/kernel')).toHaveLength(1);
    expect((await store.registryRows()).length).toBeGreaterThan(0);
    expect(await store.read(0, { afterSeq: 40, limit: 100 })).toHaveLength(EVENTS - 40);
    await write('thing/3', [{ type: 'thing.changed', payload: {} }]);
  });

  describe('is refused, with the reason, and changes nothing', () => {
    const fileOf = (n: number): string => join(dir, archiveKey(events[n - 1]?.event ?? { id: '', ts: '' }));
    const refusals: [string, () => Promise<unknown>, number, RegExp][] = [
      [
        'for a position inside the first',
        () => Promise.resolve(),
        20,
        /No partition of shard 0 ends before 20: the oldest has 0:1 to 0:20/,
      ],
      [
        'when an object is missing',
        () => rm(fileOf(33)),
        41,
        /The archive does not have the event 0:33 \(audit\//,
      ],
      [
        'when an object is another',
        async () => {
          await chmod(fileOf(12), 0o644);
          await writeFile(fileOf(12), '{}');
        },
        41,
        /the event 0:12/,
      ],
      [
        'when the archiver is not past it',
        () => owner.query(`UPDATE kernel.stream_positions SET seq = 39 WHERE consumer = 'archiver'`),
        41,
        /The position of the archiver in shard 0 is 39, before 40/,
      ],
      [
        'when the index is not past it',
        () => owner.query(`DELETE FROM kernel.stream_positions WHERE consumer = 'indexer'`),
        41,
        /The position of the indexer in shard 0 is 0/,
      ],
      [
        'when the index has something else',
        () => owner.query(`UPDATE kernel_index.events SET actor_id = 'nobody' WHERE seq = 7`),
        41,
        /The index does not have the event 0:7/,
      ],
      [
        'when the relay is not past it',
        async () => {
          await owner.query('ALTER TABLE kernel.relay_cursors DISABLE TRIGGER USER');
          await owner.query('UPDATE kernel.relay_cursors SET seq = 2');
        },
        41,
        /The outbox relay has published shard 0 up to 2 only/,
      ],
      [
        'when a log is published and does not cover it',
        () =>
          owner.query(
            `INSERT INTO kernel.stream_positions (consumer, shard, seq, hash) VALUES ('log-publisher', 0, 90, sha256(''))`,
          ),
        41,
        /The log of shard 0 has no checkpoint yet/,
      ],
      [
        'when the log publisher is behind',
        () =>
          owner.query(
            `INSERT INTO kernel.stream_positions (consumer, shard, seq, hash) VALUES ('log-publisher', 0, 3, sha256(''))`,
          ),
        41,
        /The position of the log-publisher in shard 0 is 3/,
      ],
      [
        'when a legal hold touches it',
        () =>
          owner.query(
            `INSERT INTO kernel.legal_holds VALUES (0, 40, 60, true, 'case 7', gen_random_uuid(), 0, 90, now(), 60)`,
          ),
        41,
        /A legal hold is in force on 0:40 to 0:60 \(case 7\)/,
      ],
      [
        'when the archiver has not read a legal hold',
        () => write('legal_hold/0:1-5', [{ type: 'legal_hold.placed', payload: {} }]),
        41,
        /The archiver has not carried out the legal hold of 0:91/,
      ],
      [
        'when an event is gone',
        () => without('kernel.events', 'events_refuse_change', 'DELETE FROM kernel.events WHERE seq = 8'),
        41,
        /There is no event 0:8/,
      ],
      [
        'when an event is another',
        () =>
          without(
            'kernel.events',
            'events_refuse_change',
            `UPDATE kernel.events SET canonical = convert_to(replace(convert_from(canonical, 'UTF8'), '"n":9', '"n":8'), 'UTF8') WHERE seq = 9`,
          ),
        41,
        /The index does not have the event 0:9/,
      ],
      [
        'when a key leads elsewhere',
        () =>
          without(
            'kernel.event_keys',
            'event_keys_refuse_change',
            'UPDATE kernel.event_keys SET seq = 5 WHERE seq = 6',
          ),
        41,
        /The key of the event 0:6 leads elsewhere/,
      ],
      [
        'while the store is restored',
        () => owner.query(`UPDATE kernel.mode SET restoring = true, mode = 'safe-mode'`),
        41,
        /The store is being restored/,
      ],
    ];
    it.each(refusals)('%s', async (_, spoil, below, message) => {
      await spoil();
      const before = [await partitions(), await rows()];
      await expect(detach(below)).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(message),
      });
      expect([await partitions(), await rows()]).toEqual(before);
      expect((await owner.query('SELECT FROM kernel.detachments')).rowCount).toBe(0);
    });

    it('for the partition that is written to, and the one before a head at its end', async () => {
      expect(await detach(10_000)).toMatchObject({ toSeq: 80 });
      for (let n = 0; n < 10; n++) await write('thing/1', [{ type: 'thing.changed', payload: { n } }]);
      await pipelined();
      expect((await store.heads())[0]?.seq).toBe(100);
      await expect(detach(10_000)).rejects.toMatchObject({
        message: expect.stringContaining('Shard 0 ends at 100: its oldest partition'),
      });
    });
  });

  it('has changed nothing when it ends in the middle, and can be done again', async () => {
    const reader = new Client({ connectionString: database.superuserUrl });
    await reader.connect();
    // A reader in a transaction keeps the log from being locked: the run has made its table and waits.
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM kernel.events');
    const running = detach(41).then(
      () => 'done',
      (error: Error) => error.message,
    );
    for (;;) {
      const { rowCount } = await owner.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kernel-detach' AND query LIKE 'LOCK TABLE%'
           AND datname = current_database()`,
      );
      if (rowCount !== 0) break;
    }
    expect(await running).not.toBe('done');
    expect(await partitions()).toEqual(WHOLE);
    expect((await owner.query(`SELECT to_regclass('kernel.events_0_kept_40') AS there`)).rows).toEqual([
      { there: null },
    ]);
    // Reads and appends go on while a run waits for the reader, and it ends when that does.
    const again = detach(41);
    await write('thing/3', [{ type: 'thing.changed', payload: {} }]);
    // Into the next partition, which is made while the run waits.
    for (let n = 0; n < 15; n++) await write('thing/3', [{ type: 'thing.changed', payload: { n } }]);
    await reader.query('COMMIT');
    expect(await again).toMatchObject({ toSeq: 40, kept: 3 });
    await reader.end();
    expect(await store.read(0, { afterSeq: 0, limit: 1_000 })).toHaveLength(EVENTS + 16);
    expect(await partitions()).toContain('events_0_101 written');
  });
});
