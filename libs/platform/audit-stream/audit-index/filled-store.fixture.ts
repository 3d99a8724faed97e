import { EventStore, migrate, openEventStoreDataSource, type StreamWrite } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type StreamPosition } from '../audit-stream';
import { type VerifiedEvent } from '../shard-handler';
import { type JsonObject, type SignerEntry } from '#evidence';
import { migratedBy, type TestDatabase, type TestPostgres, TestSigner } from '#dev/testing';
import { type DivisionOf } from './index-rows';

export const ORIGIN = 'kernel.example.com/test';

/** Division of an event, as in the audit module. */
export const divisionOf: DivisionOf = (stream, payload) => {
  const named = payload['division'];
  return stream.startsWith('division/') ? stream.slice(9) : typeof named === 'string' ? named : null;
};

/** A database with an event store, and connections as kernel and as worker. */
export interface FilledStore {
  database: TestDatabase;
  store: EventStore;
  runtime: DataSource;
  worker: DataSource;
  signers: SignerEntry[];
  append(stream: string, ...payloads: JsonObject[]): Promise<void>;
  /** One event of any type. */
  record(event: { stream: string; type: string; payload: JsonObject }, correlationId?: string): Promise<void>;
  /** Events of a shard after a position, as a follower hands them over. */
  behind(shard: number, position: Pick<StreamPosition, 'seq'>, limit?: number): Promise<VerifiedEvent[]>;
  close(): Promise<void>;
}

export async function openFilledStore(postgres: TestPostgres, shards = 1): Promise<FilledStore> {
  const { runtimeRole, workerRole } = postgres;
  const database = await postgres.createDatabase(
    migratedBy(migrate, { origin: ORIGIN, shards, runtimeRole, workerRole }),
  );
  const runtime = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 6 });
  const worker = await openEventStoreDataSource({
    url: database.workerUrl,
    poolSize: 4,
    statementTimeoutMs: 0,
  });
  const signer = new TestSigner('audit-1');
  let now = Date.parse('2026-01-31T10:00:00.000Z');
  const store = new EventStore({
    dataSource: runtime,
    origin: ORIGIN,
    shards,
    now: () => (now += 1_000),
    signer: {
      activeKid: () => signer.kid,
      sign: async (_kid, inputs) => inputs.map((input) => signer.sign(input)),
    },
  });
  const write = async (write: StreamWrite, actor: string): Promise<void> => {
    await store.append({ actor: { id: actor, kind: 'service', roles: [] }, writes: [write] });
  };
  await write(
    {
      stream: `signer/${signer.kid}`,
      expectedVersion: 'any',
      events: [{ type: 'signer.added', payload: { signer: { ...signer.entry } } }],
    },
    'system',
  );
  let appended = 0;
  return {
    database,
    store,
    runtime,
    worker,
    signers: [signer.entry],
    async append(stream, ...payloads) {
      const type = `thing.${['made', 'changed', 'removed'][appended % 3]}`;
      const events = payloads.map((payload) => ({ type, payload, division: divisionOf(stream, payload) }));
      await write({ stream, expectedVersion: 'any', events }, `actor-${appended++ % 4}`);
    },
    async record({ stream, type, payload }, correlationId) {
      await store.append({
        actor: { id: 'actor-0', kind: 'service', roles: [] },
        correlationId: correlationId ?? null,
        writes: [
          {
            stream,
            expectedVersion: 'any',
            events: [{ type, payload, division: divisionOf(stream, payload) }],
          },
        ],
      });
    },
    async behind(shard, { seq }, limit = 1_000) {
      const found = await store.read(shard, { afterSeq: seq, limit });
      return found.map(({ event, bytes }) => ({ event, bytes, nextCursor: String(event.seq) }));
    },
    async close() {
      await store.close();
      await runtime.destroy();
      await worker.destroy();
      await database.drop();
    },
  };
}
