import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  checkpointSigningInput,
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  isConsistent,
  type JsonValue,
  leafHash,
  nodeHash,
  parseSignedCheckpoint,
  signedCheckpoint,
} from '#evidence';
import { StoreConsumer, migratedBy, type TestDatabase, type TestPostgres, TestSigner } from '#dev/testing';
import { type Archive, FolderArchive } from '#platform/archive';
import { EventStore, migrate, openEventStoreDataSource } from '#platform/event-store';
import {
  type CheckpointRequest,
  type CheckpointSigner,
  LogError,
  LogStorage,
  NO_WITNESSES,
  type SignedTree,
  TileCache,
  TiledTree,
} from '#platform/log';
import { type DataSource } from '#platform/postgres';
import { createLogger, Registry } from '#platform/process';
import { LogPublisherMetrics } from './log-publisher.metrics';
import { type LogPublisherOptions, type RunningLogPublisher, startLogPublisher } from './start-log-publisher';

export const ORIGIN = 'kernel.test/log';
const ACTOR = { id: 'CN=test', kind: 'service' as const, roles: ['Operator'] };
const POLL_MS = 10;

/** A signer by the rules of the signing proxy (docs/signing-proxy.md, "Checkpoints"). */
export class TestCheckpointSigner implements CheckpointSigner {
  readonly last = new Map<number, SignedTree>();
  readonly signed: SignedTree[] = [];
  away = false;
  /** Signs and is then cut off before its answer arrives: the process that asked never knows. */
  answersLost = 0;

  constructor(private readonly key: TestSigner) {}

  lastSigned(): Promise<SignedTree[]> {
    this.assertThere();
    return Promise.resolve([...this.last.values()]);
  }

  sign({ shard, size, root, consistency }: CheckpointRequest): Promise<string> {
    this.assertThere();
    const last = this.last.get(shard);
    if (last !== undefined && (size !== last.size || !same(root, last.root))) {
      const proven =
        consistency?.from === last.size && isConsistent(last, { size, root }, consistency.hashes);
      if (!proven) {
        throw new LogError('checkpoint_conflict', `the last one is of size ${last.size}`, {
          size: last.size,
        });
      }
    }
    const tree = { shard, size, root };
    this.last.set(shard, tree);
    this.signed.push(tree);
    if (this.answersLost-- > 0) throw new LogError('signing_unavailable', 'the answer was lost');
    const checkpoint = { origin: ORIGIN, shard, size, root };
    const signature = Buffer.from(this.key.sign(checkpointSigningInput(checkpoint)), 'base64');
    return Promise.resolve(signedCheckpoint(checkpoint, this.key.entry.public_key_pem, signature));
  }

  private assertThere(): void {
    if (this.away) throw new LogError('signing_unavailable', 'the proxy is away');
  }
}

export interface LogPublisherFixture {
  readonly dir: string;
  readonly database: TestDatabase;
  readonly dataSource: DataSource;
  readonly archive: Archive;
  readonly signer: TestCheckpointSigner;
  append(count?: number): Promise<void>;
  /** The canonical bytes of a shard's events. */
  stored(shard?: number): Promise<Buffer[]>;
  position(shard?: number): Promise<number>;
  /** The published tree, after its root was compared with that of the events; null before the first. */
  published(shard?: number, archive?: Archive): Promise<{ size: number; note: string } | null>;
  /** Waits until every event of every shard is in a published checkpoint. */
  caughtUp(): Promise<void>;
  start(options?: Partial<LogPublisherOptions>): Promise<RunningLogPublisher & { registry: Registry }>;
  stop(): Promise<void>;
}

export async function openFixture(
  postgres: TestPostgres,
  { shards = 1, archive: given }: { shards?: number; archive?: Archive } = {},
): Promise<LogPublisherFixture> {
  const { workerRole } = postgres;
  const database = await postgres.createDatabase(migratedBy(migrate, { origin: ORIGIN, shards, workerRole }));
  const owner = await openEventStoreDataSource({ url: database.ownerUrl, poolSize: 4 });
  const dataSource = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 6 });
  const dir = await mkdtemp(join(tmpdir(), 'kernel-log-'));
  const archive = given ?? (await FolderArchive.open({ dir: join(dir, 'archive') }));
  const audit = new TestSigner('audit-1', { purposes: ['audit'] });
  const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
  const signer = new TestCheckpointSigner(checkpoint);
  const running: { close(): Promise<void> }[] = [];
  let written = 0;
  const store = new EventStore({
    dataSource: owner,
    origin: ORIGIN,
    shards,
    signer: {
      activeKid: () => audit.kid,
      sign: (_kid, inputs) => Promise.resolve(inputs.map((input) => audit.sign(input))),
    },
  });
  const append = async (stream: string, type: string, payloads: JsonValue[]): Promise<void> => {
    const events = payloads.map((payload) => ({ type, payload: payload as Record<string, JsonValue> }));
    await store.append({ actor: ACTOR, writes: [{ stream, expectedVersion: 'any', events }] });
  };
  const fixture: LogPublisherFixture = {
    dir,
    database,
    dataSource,
    archive,
    signer,
    async append(count = 1) {
      for (let left = count; left > 0; left -= 50) {
        const some = Array.from({ length: Math.min(left, 50) }, () => ({ n: written++ }));
        await append(`thing/${written}`, 'thing.happened', some);
      }
    },
    async stored(shard = 0) {
      const rows = await dataSource.query<{ canonical: Buffer }[]>(
        'SELECT canonical FROM kernel.events WHERE shard = $1 ORDER BY seq',
        [shard],
      );
      return rows.map(({ canonical }) => canonical);
    },
    async position(shard = 0) {
      const [row] = await dataSource.query<{ seq: string }[]>(
        `SELECT seq FROM kernel.stream_positions WHERE consumer = 'log-publisher' AND shard = $1`,
        [shard],
      );
      return Number(row?.seq ?? 0);
    },
    async published(shard = 0, from = archive) {
      const storage = new LogStorage(from, shard);
      const note = await storage.checkpoint();
      if (note === null) return null;
      const { size, root } = parseSignedCheckpoint(note);
      const leaves = (await fixture.stored(shard)).slice(0, size).map((bytes) => leafHash(bytes));
      expect(leaves).toHaveLength(size);
      // By the store, and by the tiles.
      expect(Buffer.from(root).toString('hex')).toBe(Buffer.from(mth(leaves)).toString('hex'));
      const tree = new TiledTree(storage, new TileCache(1 << 20), size);
      expect(Buffer.from(await tree.root()).toString('hex')).toBe(Buffer.from(root).toString('hex'));
      return { size, note };
    },
    async caughtUp() {
      for (let shard = 0; shard < shards; shard++) {
        const events = (await fixture.stored(shard)).length;
        if (events === 0) continue;
        await until(`shard ${shard} is published`, async () => (await fixture.position(shard)) >= events);
      }
    },
    async start(options = {}) {
      const registry = new Registry();
      const publisher = await startLogPublisher({
        origin: ORIGIN,
        shards,
        dataSource,
        databaseUrl: database.workerUrl,
        leaseMs: 2_000,
        consumer: new StoreConsumer(dataSource),
        archive,
        readers: archive,
        protectedOnly: false,
        signer,
        policy: NO_WITNESSES,
        cosignTimeoutMs: 500,
        everyMs: 50,
        republishMs: 600_000,
        recheckMs: 200,
        listen: { host: '127.0.0.1', port: 0 },
        roots: [audit.entry],
        metrics: new LogPublisherMetrics(registry),
        registry,
        logger: createLogger({ app: 'log-publisher', level: 'silent' }),
        management: { host: '127.0.0.1', port: 0 },
        ...options,
      });
      let closed: Promise<void> | undefined;
      const close = (): Promise<void> => (closed ??= publisher.close());
      running.push({ close });
      return { ...publisher, close, registry };
    },
    async stop() {
      await Promise.all(running.map((publisher) => publisher.close()));
      await store.close();
      if (given === undefined) await archive.close();
      await Promise.all([owner.destroy(), dataSource.destroy()]);
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await store.append({
    actor: ACTOR,
    writes: [
      {
        stream: FOUNDING_STREAM,
        expectedVersion: 0,
        events: [
          { type: FOUNDING_TYPE, payload: foundingPayload({ origin: ORIGIN, shards, approverPool: null }) },
        ],
      },
      {
        stream: `signer/${audit.kid}`,
        expectedVersion: 0,
        events: [{ type: 'signer.added', payload: { signer: { ...audit.entry } } }],
      },
    ],
  });
  return fixture;
}

/** RFC 6962 section 2.1, word for word. */
function mth(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}

/** Waits for a condition; the time limit allows for a machine that is busy with other things. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${what}`);
    await delay(POLL_MS);
  }
}
