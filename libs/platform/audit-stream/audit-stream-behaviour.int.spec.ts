import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { describeWithKafka, EvidenceChain, TestSigner, withKafka, withOwnPostgres } from '#dev/testing';
import {
  type AuditStreamConsumer,
  type AuditStreamObserver,
  type AuditStreamPublisher,
  type StreamPosition,
} from './audit-stream';
import { type AuditStreamError } from './audit-stream.error';
import { appendOfSize, Collected, positionIn, textsOf, until } from './fixtures/collected-records.fixture';
import { commitAndPublish, migrated } from './fixtures/published-events.fixture';
import { KafkaConsumer } from './kafka/kafka-consumer';
import { KafkaPublisher } from './kafka/kafka-publisher';
import { PostgresConsumer } from './postgres/postgres-consumer';
import { PostgresPublisher } from './postgres/postgres-publisher';

interface ConsumerOptions {
  batchBytes?: number;
  observer?: AuditStreamObserver;
}

/** One stream of two shards, empty at first, and its server. */
interface OpenedStream {
  publisher: AuditStreamPublisher;
  consumer(options?: ConsumerOptions): AuditStreamConsumer;
  /** Does what kernel and relay do with the events of a chain from a number on. */
  publish(chain: EvidenceChain, from: number): Promise<void>;
  /** Kills the server. */
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

const SHARDS = 2;
const MIB = 1024 * 1024;

/** Tests of what every transport has to do, run against each with a real server. */
function behavesAsAuditStream(open: () => Promise<OpenedStream>): void {
  let stream: OpenedStream;
  let chain: EvidenceChain;
  let consumers: AuditStreamConsumer[];

  beforeEach(async () => {
    stream = await open();
    chain = new EvidenceChain(new TestSigner('audit-1'));
    consumers = [];
  });
  afterEach(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close()));
    await stream.publisher.close();
    await stream.close();
  });

  function consumer(options?: ConsumerOptions): AuditStreamConsumer {
    const made = stream.consumer(options);
    consumers.push(made);
    return made;
  }

  /** Makes events and publishes them. */
  async function published(count: number, of = chain): Promise<void> {
    const from = of.events.length;
    await stream.publish(of.appendMany(count), from);
  }

  it('hands over every record in order, as the same bytes', async () => {
    await published(120);
    const collected = new Collected(consumer(), 0, positionIn(chain));
    await collected.count(120);
    await published(30);
    await collected.count(150);
    await collected.stop();
    expect(collected.texts).toEqual(textsOf(chain));
  });

  it('goes on behind a position, whichever record it is', async () => {
    await published(50);
    const collected = new Collected(consumer(), 0, positionIn(chain));
    await collected.count(50);
    await collected.stop();
    for (const seq of [1, 20, 49, 50]) {
      const cursor = collected.records[seq - 1]?.nextCursor ?? null;
      const rest = new Collected(consumer(), 0, positionIn(chain, seq, cursor));
      await published(1);
      await rest.count(chain.events.length - seq);
      await rest.stop();
      expect(rest.texts).toEqual(textsOf(chain, seq));
    }
  });

  it('needs no cursor to go on: what comes first may be known already', async () => {
    await published(30);
    const rest = new Collected(consumer(), 0, positionIn(chain, 20));
    await until(() => rest.texts.includes(textsOf(chain).at(-1) ?? ''), 'the last record');
    await rest.stop();
    expect(rest.texts).toEqual(textsOf(chain).slice(-rest.texts.length));
    expect(rest.texts.length).toBeGreaterThanOrEqual(10);
  });

  it('takes a cursor of the other transport, or from nowhere, as none', async () => {
    await published(10);
    for (const cursor of ['999999', 'x', '-1', '18446744073709551616']) {
      const rest = new Collected(consumer(), 0, positionIn(chain, 4, cursor));
      await until(() => rest.texts.includes(textsOf(chain).at(-1) ?? ''), 'the last record');
      await rest.stop();
      expect(rest.texts).toEqual(textsOf(chain).slice(-rest.texts.length));
      expect(rest.texts.length).toBeGreaterThanOrEqual(6);
    }
  });

  it('keeps batches small', async () => {
    await published(2_000);
    const collected = new Collected(consumer({ batchBytes: 64 * 1024 }), 0, positionIn(chain));
    await collected.count(2_000);
    await collected.stop();
    expect(collected.texts).toEqual(textsOf(chain));
    expect(collected.batches.length).toBeGreaterThan(10);
  });

  it('carries records of any size an event may have', async () => {
    const sizes = [65_535, 1_000, 65_535, 65_535, 4_096];
    for (let n = 0; n < 40; n++) appendOfSize(chain, sizes[n % sizes.length] as number);
    expect(chain.bytes[0]?.length).toBe(65_535);
    await stream.publish(chain, 0);
    const collected = new Collected(consumer({ batchBytes: 1_000 }), 0, positionIn(chain));
    await collected.count(40);
    await collected.stop();
    expect(collected.texts).toEqual(textsOf(chain));
  });

  it("ends with the handler's failure, and hands the batch over again", async () => {
    await published(10);
    const failure = new Error('the database said no');
    const failing = new Collected(consumer(), 0, positionIn(chain), () => Promise.reject(failure));
    await expect(failing.ended).rejects.toBe(failure);
    const again = new Collected(consumer(), 0, positionIn(chain));
    await again.count(10);
    await again.stop();
    expect(again.texts).toEqual(textsOf(chain));
  });

  it('hands over one batch at a time, and waits for the handler', async () => {
    await published(500);
    let inside = 0;
    let most = 0;
    const collected = new Collected(consumer({ batchBytes: 8_000 }), 0, positionIn(chain), async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    });
    await collected.count(500);
    await collected.stop();
    expect(most).toBe(1);
  });

  it('ends soon when it is aborted while nothing comes', async () => {
    await published(1);
    const collected = new Collected(consumer(), 0, positionIn(chain));
    await collected.count(1);
    const began = performance.now();
    await collected.stop();
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('is not aborted in the middle of a batch', async () => {
    await published(5);
    let finish = (): void => undefined;
    const working = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let began = false;
    const collected = new Collected(consumer(), 0, positionIn(chain), () => {
      began = true;
      return working;
    });
    await until(() => began, 'the handler at work');
    let stopped = false;
    const stopping = collected.stop().then(() => (stopped = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(collected.records.length).toBeGreaterThanOrEqual(1);
  });

  it('ends every subscription when it is closed', async () => {
    await published(1);
    const closing = consumer();
    const both = [0, 1].map((shard) => new Collected(closing, shard, positionIn(chain)));
    await both[0]?.count(1);
    await closing.close();
    await Promise.all(both.map(({ ended }) => ended));
  });

  it('keeps shards apart: one that is stuck does not hold up the other', async () => {
    const other = new EvidenceChain(new TestSigner('audit-1'), chain.origin, 1);
    await published(10);
    await published(10, other);
    const shared = consumer();
    let release = (): void => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = new Collected(shared, 0, positionIn(chain), () => stuck);
    const second = new Collected(shared, 1, positionIn(other));
    await second.count(10);
    await published(10, other);
    await second.count(20);
    expect(first.records).toEqual([]);
    expect(second.texts).toEqual(textsOf(other));
    release();
    await first.count(10);
    await Promise.all([first.stop(), second.stop()]);
    expect(first.texts).toEqual(textsOf(chain));
  });

  it('reads no further than the handler has come', async () => {
    for (let n = 0; n < 500; n++) appendOfSize(chain, 65_535);
    for (let from = 0; from < 500; from += 100) await stream.publish(chainPart(chain, from + 100), from);
    let release = (): void => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    let began = false;
    const before = held();
    const collected = new Collected(consumer({ batchBytes: MIB }), 0, positionIn(chain), () => {
      began = true;
      return stuck;
    });
    try {
      await until(() => began, 'the first batch');
      // Time for a subscription that would continue to read, which must not exist.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      // Out of 32 MiB: a batch, and what the clients need to read it.
      expect(held() - before).toBeLessThan(10 * MIB);
    } finally {
      release();
    }
    await collected.count(500);
    await collected.stop();
    expect(collected.records.every(({ bytes }) => bytes.byteLength === 65_535)).toBe(true);
  });

  it('waits out a server that is away, and goes on where it was', async () => {
    await published(20);
    const interruptions: AuditStreamError[] = [];
    const observed = consumer({
      observer: { onInterrupted: (_shard, error) => interruptions.push(error) },
    });
    await observed.check();
    const collected = new Collected(observed, 0, positionIn(chain));
    await collected.count(20);
    await stream.away();
    await until(() => interruptions.length > 1, 'the interruption');
    expect(interruptions[0]).toMatchObject({ name: 'AuditStreamError', code: 'stream_unavailable' });
    await expect(observed.check()).rejects.toMatchObject({ code: 'stream_unavailable' });
    await stream.back();
    await until(
      () =>
        observed.check().then(
          () => true,
          () => false,
        ),
      'the transport back',
    );
    await published(20);
    await collected.count(40);
    await collected.stop();
    expect(collected.texts).toEqual(textsOf(chain));
  }, 120_000);

  it('ends soon when it is aborted while the server is away', async () => {
    await published(1);
    let interrupted = false;
    const observed = consumer({ observer: { onInterrupted: () => (interrupted = true) } });
    const collected = new Collected(observed, 0, positionIn(chain));
    await collected.count(1);
    await stream.away();
    try {
      await until(() => interrupted, 'the interruption');
      const began = performance.now();
      await collected.stop();
      await observed.close();
      expect(performance.now() - began).toBeLessThan(2_000);
    } finally {
      await stream.back();
    }
  }, 120_000);
}

/** The same chain, ending earlier. */
function chainPart(chain: EvidenceChain, to: number): EvidenceChain {
  const part = new EvidenceChain(chain.signer, chain.origin, chain.shard);
  part.events.push(...chain.events.slice(0, to));
  part.bytes.push(...chain.bytes.slice(0, to));
  return part;
}

/** Bytes in buffers that something still refers to. */
function held(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}

describeWithKafka(
  'the audit stream over Kafka',
  () => {
    const kafka = withKafka({ own: true, restart: false });
    behavesAsAuditStream(async () => {
      const connection = { brokers: kafka().brokers, clientId: 'kernel-test' };
      const topic = kafka().topicName();
      const publisher = new KafkaPublisher({ connection, topic, shards: SHARDS });
      await publisher.prepare();
      return {
        publisher,
        consumer: (options) =>
          new KafkaConsumer({ connection, topic, shards: SHARDS, group: `${topic}.test`, ...options }),
        publish: (chain, from) =>
          publisher.publish(
            chain.shard,
            chain.bytes.slice(from).map((bytes, n) => ({ seq: from + n + 1, bytes })),
          ),
        away: async () => kafka().server?.kill(),
        back: async () => kafka().server?.start(),
        close: async () => undefined,
      };
    });
  },
  { own: true },
);

describe('the audit stream over PostgreSQL', () => {
  const postgres = withOwnPostgres({ restart: false });

  async function opened(): Promise<OpenedStream & { ownerUrl: string }> {
    const database = await postgres().createDatabase();
    await migrated(database, SHARDS, postgres().runtimeRole);
    const dataSource: DataSource = await openEventStoreDataSource({ url: database.ownerUrl });
    return {
      ownerUrl: database.ownerUrl,
      publisher: new PostgresPublisher(),
      consumer: (options) => new PostgresConsumer({ dataSource, shards: SHARDS, ...options }),
      publish: (chain, from) => commitAndPublish(database.ownerUrl, chain, from),
      away: () => postgres().kill(),
      back: () => postgres().start(),
      async close() {
        await dataSource.destroy();
        await database.drop();
      },
    };
  }

  behavesAsAuditStream(opened);

  it('ends where the relay is, whatever is committed behind it', async () => {
    const stream = await opened();
    const consumer = stream.consumer();
    try {
      const chain = new EvidenceChain(new TestSigner('audit-1')).appendMany(10);
      await commitAndPublish(stream.ownerUrl, chain, 0, { publishTo: 6 });
      const collected = new Collected(consumer, 0, positionIn(chain));
      await collected.count(6);
      await commitAndPublish(stream.ownerUrl, chain.appendMany(1), 10, { publishTo: 9 });
      await collected.count(9);
      await collected.stop();
      expect(collected.texts).toEqual(textsOf(chain, 0, 9));
    } finally {
      await consumer.close();
      await stream.close();
    }
  });

  it('is woken by the relay, long before it would look by itself', async () => {
    const database = await postgres().createDatabase();
    await migrated(database, SHARDS, postgres().runtimeRole);
    const dataSource = await openEventStoreDataSource({ url: database.ownerUrl });
    const consumer = new PostgresConsumer({ dataSource, shards: SHARDS, pollMs: 3_600_000 });
    try {
      const chain = new EvidenceChain(new TestSigner('audit-1'));
      const from: StreamPosition = { seq: 0, hash: '', cursor: null };
      const collected = new Collected(consumer, 0, from);
      for (let n = 0; n < 5; n++) {
        await commitAndPublish(database.ownerUrl, chain.appendMany(1), n);
        await collected.count(n + 1);
      }
      await collected.stop();
    } finally {
      await consumer.close();
      await dataSource.destroy();
      await database.drop();
    }
  });
});
