import { Client } from 'pg';
import {
  AuditIndex,
  type AuditStreamConsumer,
  type RunningFollower,
  type StreamPosition,
} from '#platform/audit-stream';
import { migrate, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { createLogger, Registry } from '#platform/process';
import { type AuditEvent } from '#evidence';
import { EvidenceChain, migratedBy, type TestDatabase, TestSigner, withOwnPostgres } from '#dev/testing';
import { startIndexer } from './start-indexer';

const ORIGIN = 'kernel.test/indexer';
const SHARDS = 2;

/** A topic in memory whose records a test can change. */
class ScriptedConsumer implements AuditStreamConsumer {
  readonly topics = new Map<number, Uint8Array[]>();

  async consume(
    shard: number,
    from: StreamPosition,
    handle: Parameters<AuditStreamConsumer['consume']>[2],
    signal: AbortSignal,
  ): Promise<void> {
    for (let at = Number(from.cursor ?? 0); !signal.aborted;) {
      const records = (this.topics.get(shard) ?? [])
        .slice(at, at + 50)
        .map((bytes, i) => ({ bytes, nextCursor: String(at + i + 1) }));
      at += records.length;
      if (records.length > 0) await handle(records);
      else await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async check(): Promise<void> {}
  async close(): Promise<void> {}
}

/** A stream lies in one shard. */
function grow(chain: EvidenceChain, events: number): void {
  for (let n = 0; n < events; n++) chain.append({ stream: `thing-${chain.shard}/${n % 7}` });
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Commits the first events of a chain as the kernel does: the workers read the key registry there. */
async function commit(ownerUrl: string, chain: EvidenceChain, count: number): Promise<void> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    const head = chain.events[count - 1];
    await client.query(
      `UPDATE kernel.shard_head SET seq = $2, hash = decode($3, 'hex'), ts = $4 WHERE shard = $1`,
      [chain.shard, count, head?.hash, head?.ts],
    );
    const events = chain.events.slice(0, count);
    const column = (of: (event: AuditEvent) => unknown): unknown[] => events.map(of);
    await client.query(
      `INSERT INTO kernel.events
         (shard, seq, id, ts, type, stream, stream_version, actor_id, signer_kid, hash, canonical)
       SELECT $1::integer, e.seq, e.id, e.ts, e.type, e.stream, e.version, 'actor', e.kid, decode(e.hash, 'hex'), e.canonical
       FROM unnest($2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::text[], $10::bytea[])
         AS e (seq, id, ts, type, stream, version, kid, hash, canonical)`,
      [
        chain.shard,
        column(({ seq }) => seq),
        column(({ id }) => id),
        column(({ ts }) => ts),
        column(({ type }) => type),
        column(({ stream }) => stream),
        column(({ streamVersion }) => streamVersion),
        column(({ signerKid }) => signerKid),
        column(({ hash }) => hash),
        chain.bytes.slice(0, count).map((bytes) => Buffer.from(bytes)),
      ],
    );
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

describe('the indexer', () => {
  const postgres = withOwnPostgres();
  const key = new TestSigner('audit-1');
  let database: TestDatabase;
  let dataSource: DataSource;
  let consumer: ScriptedConsumer;
  let registry: Registry;
  let indexer: RunningFollower;
  let index: AuditIndex;
  let chains: EvidenceChain[];

  beforeEach(async () => {
    const { workerRole } = postgres();
    database = await postgres().createDatabase(
      migratedBy(migrate, { origin: ORIGIN, shards: SHARDS, workerRole }),
    );
    dataSource = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 4 });
    consumer = new ScriptedConsumer();
    index = new AuditIndex({ dataSource, shards: SHARDS });
    const first = new EvidenceChain(key, ORIGIN, 0, { shards: SHARDS }).found();
    chains = Array.from({ length: SHARDS }, (_, shard) => first.beside(shard));
    await commit(database.ownerUrl, first, 2);
    for (const chain of chains) grow(chain, 120 - chain.events.length);
    publish();
  });
  afterEach(async () => {
    await indexer.close();
    await dataSource.destroy();
    await database.drop();
  });

  const publish = (): void => chains.forEach(({ bytes }, shard) => consumer.topics.set(shard, [...bytes]));

  async function start(): Promise<void> {
    registry = new Registry();
    indexer = await startIndexer({
      origin: ORIGIN,
      shards: SHARDS,
      dataSource,
      consumer,
      roots: [key.entry],
      logger: createLogger({ app: 'indexer', level: 'silent' }),
      management: { host: '127.0.0.1', port: 0 },
      registry,
      recheckMs: 20,
    });
  }

  const positions = async () => (await index.positions()).map(({ seq }) => seq);
  const ready = async () => {
    const answer = await fetch(`http://127.0.0.1:${indexer.managementPort}/ready`);
    return { status: answer.status, text: await answer.text() };
  };

  it('indexes every shard, byte for byte, and says how far it is', async () => {
    await start();
    await until(async () => (await positions()).every((seq) => seq === 120), 'all events');
    const { events } = await index.query({ limit: 1_000 });
    const bytes = (all: readonly Uint8Array[]) => all.map((one) => Buffer.from(one).toString()).sort();
    expect(bytes(events.map((event) => event.bytes))).toEqual(bytes(chains.flatMap((chain) => chain.bytes)));
    expect((await ready()).status).toBe(200);
    const metrics = await registry.metrics();
    expect(metrics).toContain('kernel_pipeline_end_to_end_seconds_count{stage="indexer"} 240');
    // Nothing of this shard was committed to this database's own event store.
    expect(metrics).toContain('kernel_pipeline_lag_events{stage="indexer",shard="1"} 0');
  });

  it('goes on where it ended, and repeats nothing', async () => {
    await start();
    await until(async () => (await positions()).every((seq) => seq === 120), 'all events');
    await indexer.close();
    grow(chains[0] as EvidenceChain, 30);
    publish();
    await start();
    await until(async () => (await positions())[0] === 150, 'the new events');
    expect((await index.query({ limit: 1_000 })).events).toHaveLength(270);
  });

  it.each([
    [
      'altered',
      (topic: Uint8Array[]) =>
        topic.with(
          69,
          Buffer.from(
            Buffer.from(topic[69] as Uint8Array)
              .toString()
              .replace('event 70', 'event 7O'),
          ),
        ),
      'hash',
      69,
    ],
    ['dropped', (topic: Uint8Array[]) => topic.toSpliced(69, 1), 'gap', 69],
    ['another event', (topic: Uint8Array[]) => topic.with(69, forged(70)), 'signature', 69],
  ])(
    'stops the shard at a record that was %s, says why, and leaves the others',
    async (_, tamper, kind, position) => {
      consumer.topics.set(1, tamper(consumer.topics.get(1) ?? []));
      await start();
      await until(async () => (await ready()).status === 503, 'not ready');
      await until(async () => (await positions())[0] === 120, 'the other shard');
      expect(await positions()).toEqual([120, position]);
      const { text } = await ready();
      expect(text).toContain(`Shard 1: event`);
      expect(text).toContain(`(${kind})`);
      expect(await registry.metrics()).toContain(
        `audit_integrity_failures_total{shard="1",kind="${kind}"} 1`,
      );
      publish();
      await until(async () => (await positions())[1] === 120, 'the repaired topic');
      await until(async () => (await ready()).status === 200, 'ready');
    },
  );

  /** Everything right but the signature, which is a stranger's. */
  function forged(seq: number): Uint8Array {
    const twin = new EvidenceChain(key, ORIGIN, 1);
    grow(twin, seq - 1);
    twin.append({ signer: new TestSigner('audit-1') });
    return twin.bytes[seq - 1] as Uint8Array;
  }

  it('skips records that are repeated', async () => {
    const topic = consumer.topics.get(0) ?? [];
    consumer.topics.set(0, [...topic.slice(0, 80), ...topic.slice(20, 80), ...topic.slice(79)]);
    await start();
    await until(async () => (await positions())[0] === 120, 'all events');
    expect(
      (await index.query({ limit: 1_000 })).events.filter(({ event }) => event.shard === 0),
    ).toHaveLength(120);
    expect(await registry.metrics()).toContain('kernel_pipeline_repeats_total{stage="indexer",shard="0"} 61');
    expect((await ready()).status).toBe(200);
  });

  it('is ready again after the database was away, and has lost nothing', async () => {
    await start();
    await until(async () => (await positions()).every((seq) => seq === 120), 'all events');
    await postgres().kill();
    grow(chains[1] as EvidenceChain, 40);
    publish();
    await postgres().whenReady();
    await until(async () => (await positions().catch(() => []))[1] === 160, 'the new events');
    await until(async () => (await ready()).status === 200, 'ready');
  });

  it('with another at work applies everything once', async () => {
    await start();
    const other = await startIndexer({
      origin: ORIGIN,
      shards: SHARDS,
      dataSource,
      consumer,
      roots: [key.entry],
      logger: createLogger({ app: 'indexer', level: 'silent' }),
      management: { host: '127.0.0.1', port: 0 },
      registry: new Registry(),
    });
    try {
      chains.forEach((chain) => grow(chain, 400));
      publish();
      await until(async () => (await positions()).every((seq) => seq === 520), 'all events');
      const rows = await dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM kernel_index.events');
      expect(rows).toEqual([{ n: '1040' }]);
    } finally {
      await other.close();
    }
  });
});
