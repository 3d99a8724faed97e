import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore, migrate, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Archive, FolderArchive } from '#platform/archive';
import { type RunningFollower } from '#platform/audit-stream';
import {
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  type Actor,
  type JsonObject,
  type JsonValue,
  parseEvent,
  type SignerEntry,
} from '#evidence';
import { createLogger, Registry } from '#platform/process';
import { SignerError, type SigningProxyClient } from '#platform/signer';
import { migratedBy, StoreConsumer, type TestDatabase, type TestPostgres, TestSigner } from '#dev/testing';
import { ArchiverMetrics } from './archiver.metrics';
import { type ArchiverOptions, startArchiver } from './start-archiver';

export const ORIGIN = 'kernel.test/archiver';
const ACTOR: Actor = { id: 'CN=test', kind: 'service', roles: ['Operator'] };
/** Quick enough for a test, slow enough not to spin. */
const POLL_MS = 10;

/** A signing proxy within the process; `away` makes it refuse. */
export class TestProxy implements Pick<SigningProxyClient, 'keys' | 'sign'> {
  away = false;
  constructor(private readonly signers: readonly TestSigner[]) {}

  keys: SigningProxyClient['keys'] = () => {
    this.assertThere();
    return Promise.resolve(
      this.signers.map(({ kid, entry }) => ({
        kid,
        keyVersion: '1',
        algorithm: 'ed25519' as const,
        publicKeyPem: entry.public_key_pem,
        purposes: entry.purposes,
        backend: 'test',
        protection: 'software' as const,
        createdAt: null,
      })),
    );
  };

  sign: SigningProxyClient['sign'] = (requests) => {
    this.assertThere();
    return Promise.resolve(
      requests.map(({ kid, input }) => {
        const signer = this.signers.find((candidate) => candidate.kid === kid);
        if (signer === undefined) throw new SignerError('unknown_key', `no ${kid}`);
        return { kid, keyVersion: '1', signature: signer.sign(input) };
      }),
    );
  };

  private assertThere(): void {
    if (this.away) throw new SignerError('signing_unavailable', 'the proxy is away');
  }
}

export interface ArchiverFixture {
  readonly dir: string;
  readonly database: TestDatabase;
  readonly dataSource: DataSource;
  readonly archive: Archive;
  readonly proxy: TestProxy;
  readonly signers: readonly SignerEntry[];
  readonly audit: TestSigner;
  readonly checkpoint: TestSigner;
  /** Time of the writers' clock; the test moves it. */
  clock: Date;
  append(count?: number, event?: { type?: string; stream?: string; payload?: JsonObject }): Promise<void>;
  /** The events of a shard as they are stored. */
  stored(shard?: number): Promise<{ key: string; bytes: Buffer }[]>;
  position(shard?: number): Promise<number>;
  /** Starts an archiver on the folder archive, or on what is given; stopped with the fixture. */
  start(options?: Partial<ArchiverOptions>): Promise<RunningFollower & { registry: Registry }>;
  stop(): Promise<void>;
}

export async function openFixture(
  postgres: TestPostgres,
  { shards = 1 }: { shards?: number } = {},
): Promise<ArchiverFixture> {
  const { workerRole } = postgres;
  const database = await postgres.createDatabase(migratedBy(migrate, { origin: ORIGIN, shards, workerRole }));
  const owner = await openEventStoreDataSource({ url: database.ownerUrl, poolSize: 4 });
  const dataSource = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 4 });
  const dir = await mkdtemp(join(tmpdir(), 'kernel-archiver-'));
  const archive = await FolderArchive.open({ dir: join(dir, 'archive') });
  const audit = new TestSigner('audit-1', { purposes: ['audit'] });
  const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
  const proxy = new TestProxy([audit, checkpoint]);
  const running: { close(): Promise<void> }[] = [];
  let written = 0;
  const fixture: ArchiverFixture = {
    dir,
    database,
    dataSource,
    archive,
    proxy,
    audit,
    checkpoint,
    signers: [audit.entry, checkpoint.entry],
    clock: new Date('2026-01-31T10:00:00.000Z'),
    async append(count = 1, event = {}) {
      for (let n = 0; n < count; n++) {
        await store.append({
          actor: ACTOR,
          writes: [
            {
              stream: event.stream ?? `thing/${written++}`,
              expectedVersion: 'any',
              events: [{ type: event.type ?? 'thing.happened', payload: event.payload ?? { n: written } }],
            },
          ],
        });
      }
    },
    async stored(shard = 0) {
      const rows = await dataSource.query<{ canonical: Buffer }[]>(
        'SELECT canonical FROM kernel.events WHERE shard = $1 ORDER BY seq',
        [shard],
      );
      return rows.map(({ canonical: bytes }) => {
        const { id, ts } = parseEvent(bytes);
        return { key: `audit/${ts.slice(0, 10).replaceAll('-', '/')}/${id}.json`, bytes };
      });
    },
    async position(shard = 0) {
      const [row] = await dataSource.query<{ seq: string }[]>(
        `SELECT seq FROM kernel.stream_positions WHERE consumer = 'archiver' AND shard = $1`,
        [shard],
      );
      return Number(row?.seq ?? 0);
    },
    async start(options = {}) {
      const registry = new Registry();
      const archiver = await startArchiver({
        origin: ORIGIN,
        shards,
        dataSource,
        consumer: new StoreConsumer(dataSource),
        archive,
        protectedOnly: false,
        proxy,
        roots: [audit.entry],
        dayGraceMs: 3_600_000,
        everyMs: 20,
        metrics: new ArchiverMetrics(registry),
        registry,
        logger: createLogger({ app: 'archiver', level: 'silent' }),
        management: { host: '127.0.0.1', port: 0 },
        ...options,
      });
      let closed: Promise<void> | undefined;
      const close = (): Promise<void> => (closed ??= archiver.close());
      running.push({ close });
      return { managementPort: archiver.managementPort, close, registry };
    },
    async stop() {
      await Promise.all(running.map((archiver) => archiver.close()));
      await store.close();
      await archive.close();
      await Promise.all([owner.destroy(), dataSource.destroy()]);
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  const store = new EventStore({
    dataSource: owner,
    origin: ORIGIN,
    shards,
    now: () => fixture.clock.getTime(),
    signer: {
      activeKid: () => audit.kid,
      sign: (_kid, inputs) => Promise.resolve(inputs.map((input) => audit.sign(input))),
    },
  });
  await store.append({
    actor: ACTOR,
    writes: [
      {
        stream: FOUNDING_STREAM,
        expectedVersion: 0,
        events: [
          {
            type: FOUNDING_TYPE,
            payload: foundingPayload({ origin: ORIGIN, shards, approverPool: null }),
          },
        ],
      },
      ...[audit, checkpoint].map(({ kid, entry }) => ({
        stream: `signer/${kid}`,
        expectedVersion: 0 as const,
        events: [{ type: 'signer.added', payload: { signer: entry as unknown as JsonValue } }],
      })),
    ],
  });
  return fixture;
}

/** Waits for a condition; the time limit allows for a machine that is busy with other things. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${what}`);
    await delay(POLL_MS);
  }
}
