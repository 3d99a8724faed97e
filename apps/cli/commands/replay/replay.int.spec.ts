import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FOUNDING_STREAM, FOUNDING_TYPE, foundingPayload } from '#evidence';
import { EventStore, migrate, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { archivedEvent, FolderArchive } from '#platform/archive';
import { divisionOf } from '#platform/edge';
import {
  AuditIndex,
  type AuditStreamConsumer,
  IndexWriter,
  type StreamPosition,
} from '#platform/audit-stream';
import { migratedBy, type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { type EventSource } from './event-source';
import { replay, type ReplayProgress } from './replay-events';
import { ArchiveSource } from './sources/archive-source';
import { StoreSource } from './sources/store-source';
import { StreamSource } from './sources/stream-source';
import { IndexTarget } from './targets/index-target';

const ORIGIN = 'kernel.test/replay';
const SHARDS = 3;
const EVENTS = 240;

describe('replay to the index', () => {
  const postgres = withPostgres();
  const k1 = new TestSigner('audit-1');
  const k2 = new TestSigner('audit-2');
  let database: TestDatabase;
  let runtime: DataSource;
  let worker: DataSource;
  let store: EventStore;
  let index: AuditIndex;
  let dir: string;
  let active = k1;
  let now: number;

  beforeEach(async () => {
    const { runtimeRole, workerRole } = postgres();
    const chain = { origin: ORIGIN, shards: SHARDS };
    database = await postgres().createDatabase(migratedBy(migrate, { ...chain, runtimeRole, workerRole }));
    runtime = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 6 });
    worker = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 4, statementTimeoutMs: 0 });
    index = new AuditIndex({ dataSource: runtime, shards: SHARDS });
    dir = await mkdtemp(join(tmpdir(), 'kernel-replay-'));
    active = k1;
    now = Date.parse('2026-01-30T23:58:00.000Z');
    store = new EventStore({
      dataSource: runtime,
      origin: ORIGIN,
      shards: SHARDS,
      now: () => (now += 1_000),
      signer: {
        activeKid: () => active.kid,
        sign: async (_kid, inputs) => inputs.map((input) => active.sign(input)),
      },
    });
    // Over midnight, with a rotation in the middle: the new key is registered in one shard and signs in all.
    await found(store);
    for (let n = 0; n < EVENTS / 2; n++) await append(`thing/${n % 9}`, 'thing.changed', { n });
    await append(`signer/${k1.kid}`, 'signer.rotated', {
      from: k1.kid,
      to: { ...k2.entry },
      counterSignature: k2.provePossession(ORIGIN, k1.kid),
    });
    active = k2;
    for (let n = 0; n < EVENTS / 2; n++) await append(`thing/${n % 9}`, 'thing.changed', { n });
  });
  afterEach(async () => {
    await store.close();
    await runtime.destroy();
    await worker.destroy();
    await database.drop();
    await rm(dir, { recursive: true, force: true });
  });

  /** Founds a kernel with the first key. */
  async function found(chain: EventStore): Promise<void> {
    const founding = foundingPayload({ origin: ORIGIN, shards: SHARDS, approverPool: null });
    await chain.append({
      actor: { id: 'test', kind: 'service', roles: [] },
      writes: [
        { stream: FOUNDING_STREAM, expectedVersion: 0, events: [{ type: FOUNDING_TYPE, payload: founding }] },
        {
          stream: `signer/${k1.kid}`,
          expectedVersion: 0,
          events: [{ type: 'signer.added', payload: { signer: { ...k1.entry } } }],
        },
      ],
    });
  }

  async function append(stream: string, type: string, payload: object): Promise<void> {
    await store.append({
      actor: { id: 'test', kind: 'service', roles: [] },
      writes: [{ stream, expectedVersion: 'any', events: [{ type, payload: { ...payload } }] }],
    });
  }

  /** The whole store in a folder archive. */
  async function archived(): Promise<FolderArchive> {
    const archive = await FolderArchive.open({ dir });
    for (let shard = 0; shard < SHARDS; shard++) {
      for (const { event, bytes } of await store.read(shard, { afterSeq: 0, limit: 1_000 })) {
        await archive.put(archivedEvent(event, bytes));
      }
    }
    return archive;
  }

  const archiveSource = async (): Promise<EventSource> => new ArchiveSource(await archived(), 'the archive');

  /** A topic in memory, published in full. */
  async function streamSource(): Promise<EventSource> {
    const topics = new Map<number, Uint8Array[]>();
    for (let shard = 0; shard < SHARDS; shard++) {
      const events = await store.read(shard, { afterSeq: 0, limit: 1_000 });
      topics.set(
        shard,
        events.map(({ bytes }) => bytes),
      );
      const last = events.at(-1)?.event;
      await worker.query(`INSERT INTO kernel.relay_cursors VALUES ($1, $2, $3, 1, $4, now())`, [
        shard,
        last?.seq ?? 0,
        Buffer.from(last?.hash ?? '00'.repeat(32), 'hex'),
        last?.ts ?? null,
      ]);
    }
    const consumer: AuditStreamConsumer = {
      async consume(shard, _from: StreamPosition, handle, signal) {
        const topic = topics.get(shard) ?? [];
        for (let at = 0; at < topic.length && !signal.aborted; at += 30) {
          await handle(
            topic.slice(at, at + 30).map((bytes, i) => ({ bytes, nextCursor: String(at + i + 1) })),
          );
        }
        await new Promise((resolve) => {
          if (signal.aborted) resolve(null);
          else signal.addEventListener('abort', resolve, { once: true });
        });
      },
      check: async () => undefined,
      close: async () => undefined,
    };
    return new StreamSource(consumer, worker, 'the topic', 200);
  }

  const SOURCES: Record<string, () => Promise<EventSource>> = {
    store: async () => new StoreSource(worker, SHARDS),
    archive: archiveSource,
    stream: streamSource,
  };

  async function run(
    source: EventSource,
    { fresh = false, signal = new AbortController().signal, progress = [] as ReplayProgress[] } = {},
  ) {
    const target = await IndexTarget.open({ dataSource: worker, origin: ORIGIN, shards: SHARDS, fresh });
    try {
      return await replay({
        source,
        target,
        roots: [k1.entry],
        signal,
        onProgress: (one) => progress.push(one),
      });
    } finally {
      await target.close();
    }
  }

  const indexed = async () =>
    (await index.query({ limit: 1_000 })).events.map(({ bytes }) => Buffer.from(bytes).toString());
  const stored = async () =>
    (await store.query({ limit: 1_000 })).events.map(({ bytes }) => Buffer.from(bytes).toString());

  it.each(Object.keys(SOURCES))(
    'from the %s rebuilds what the store says, and tells the heads',
    async (name) => {
      const source = await SOURCES[name]!();
      const progress: ReplayProgress[] = [];
      const report = await run(source, { progress });
      await source.close();
      expect(await indexed()).toEqual(await stored());
      expect(report.events).toBe(EVENTS + 3);
      const heads = await store.heads();
      expect(report.heads.map(({ shard, seq, hash, storeSeq }) => ({ shard, seq, hash, storeSeq }))).toEqual(
        heads.map(({ shard, seq, hash }) => ({ shard, seq, hash, storeSeq: seq })),
      );
      expect((await index.positions()).map(({ seq }) => seq)).toEqual(heads.map(({ seq }) => seq));
      expect(progress.at(-1)).toMatchObject({ step: 'finishing', events: EVENTS + 3 });
      // Again: from the start, to the same end.
      const again = await SOURCES[name === 'stream' ? 'store' : name]!();
      expect((await run(again)).heads).toEqual(report.heads);
      await again.close();
      expect(await indexed()).toEqual(await stored());
    },
  );

  it('leaves the indexer where reading of the stream goes on', async () => {
    const source = await streamSource();
    await run(source);
    const position = await new IndexWriter({ dataSource: worker, origin: ORIGIN, divisionOf }).position(1);
    expect(position.cursor).toBe(String(position.seq));
  });

  it('goes on where it was interrupted, and shows nothing until it is done', async () => {
    const source = await archiveSource();
    const stop = new AbortController();
    const target = await IndexTarget.open({
      dataSource: worker,
      origin: ORIGIN,
      shards: SHARDS,
      fresh: false,
    });
    let added = 0;
    await expect(
      replay({
        source,
        target,
        roots: [k1.entry],
        signal: stop.signal,
        onProgress: ({ step, events }) => {
          if (step !== 'replaying') return;
          added = events;
          stop.abort(new Error('interrupted'));
        },
      }),
    ).rejects.toThrow('interrupted');
    await target.close();
    expect(await indexed()).toEqual([]);
    const report = await run(source);
    await source.close();
    expect(report.events).toBe(EVENTS + 3 - added);
    expect(added).toBeGreaterThan(0);
    expect(await indexed()).toEqual(await stored());
  });

  describe('refuses, and changes nothing, when the archive', () => {
    /** The files of the archive in the order of their events' positions in a shard. */
    async function filesOf(
      shard: number,
    ): Promise<{ path: string; event: { seq: number; payload: object } }[]> {
      const names = (await readdir(join(dir, 'audit'), { recursive: true })).filter((name) =>
        name.endsWith('.json'),
      );
      const files = await Promise.all(
        names.map(async (name) => {
          const path = join(dir, 'audit', name);
          return {
            path,
            event: JSON.parse(await readFile(path, 'utf8')) as {
              shard: number;
              seq: number;
              payload: object;
            },
          };
        }),
      );
      return files.filter(({ event }) => event.shard === shard).sort((a, b) => a.event.seq - b.event.seq);
    }

    it.each([
      [
        'has an altered event',
        async () => {
          const { path, event } = (await filesOf(1))[20]!;
          await unlink(path);
          await writeFile(path, JSON.stringify(event).replace('"n":', '"m":'));
        },
        { kind: 'hash', seq: 21 },
      ],
      ['lacks an event', async () => unlink((await filesOf(1))[20]!.path), { kind: 'gap', seq: 21 }],
      [
        'has an event under the name of another',
        async () => {
          const files = await filesOf(1);
          const bytes = await readFile(files[20]!.path);
          await unlink(files[21]!.path);
          await writeFile(files[21]!.path, bytes);
        },
        { kind: 'format', message: expect.stringContaining('whose key is') },
      ],
      [
        'has a file that is no event',
        async () => {
          const { path } = (await filesOf(1))[20]!;
          await unlink(path);
          await writeFile(path, 'nonsense');
        },
        { kind: 'format', message: expect.stringContaining('is no JSON') },
      ],
    ])('%s', async (_, tamper, fault) => {
      const writer = new IndexWriter({ dataSource: worker, origin: ORIGIN, divisionOf });
      const some = await store.read(1, { afterSeq: 0, limit: 10 });
      await writer.apply(
        1,
        some.map(({ event, bytes }) => ({ event, bytes, nextCursor: '' })),
      );
      const before = await indexed();
      const source = await archiveSource();
      await tamper();
      await expect(run(source)).rejects.toMatchObject(fault);
      await source.close();
      expect(await indexed()).toEqual(before);
      expect((await writer.position(1)).seq).toBe(10);
    });

    it('is signed by keys that nobody vouches for', async () => {
      const source = await archiveSource();
      const target = await IndexTarget.open({
        dataSource: worker,
        origin: ORIGIN,
        shards: SHARDS,
        fresh: false,
      });
      const roots = [new TestSigner('somebody-else').entry];
      const { signal } = new AbortController();
      await expect(replay({ source, target, roots, signal })).rejects.toMatchObject({ kind: 'key' });
      await target.close();
      await source.close();
      expect(await indexed()).toEqual([]);
    });
  });

  it('refuses a stream that lacks what the relay has published', async () => {
    const source = await streamSource();
    await worker.query('UPDATE kernel.relay_cursors SET seq = seq + 5 WHERE shard = 2');
    await expect(run(source)).rejects.toMatchObject({
      kind: 'gap',
      shard: 2,
      message: expect.stringContaining('the relay has published up to'),
    });
  });

  it('refuses another chain than the one of the event store', async () => {
    const source = await archiveSource();
    // The same keys, another history: what a copy of the database that diverged would have archived.
    await rm(join(dir, 'audit'), { recursive: true });
    const other = await postgres().createDatabase();
    try {
      await migrate(other.ownerUrl, { origin: ORIGIN, shards: SHARDS });
      const dataSource = await openEventStoreDataSource({ url: other.ownerUrl, poolSize: 4 });
      const elsewhere = new EventStore({
        dataSource,
        origin: ORIGIN,
        shards: SHARDS,
        signer: {
          activeKid: () => k1.kid,
          sign: async (_kid, inputs) => inputs.map((input) => k1.sign(input)),
        },
      });
      await found(elsewhere);
      const archive = await FolderArchive.open({ dir });
      for (let shard = 0; shard < SHARDS; shard++) {
        for (const { event, bytes } of await elsewhere.read(shard, { afterSeq: 0, limit: 10 })) {
          await archive.put(archivedEvent(event, bytes));
        }
      }
      await archive.close();
      await elsewhere.close();
      await dataSource.destroy();
    } finally {
      await other.drop();
    }
    await expect(run(source)).rejects.toMatchObject({
      kind: 'fork',
      message: expect.stringContaining('two chains'),
    });
    await source.close();
    expect(await indexed()).toEqual([]);
  });
});
