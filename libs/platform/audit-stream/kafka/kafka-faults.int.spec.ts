import {
  describeWithKafka,
  EvidenceChain,
  FaultyWire,
  startTestKafka,
  TestSigner,
  withKafka,
} from '#dev/testing';
import { KafkaConsumer } from './kafka-consumer';
import { KafkaPublisher, type KafkaPublisherOptions } from './kafka-publisher';
import { Collected, positionIn, textsOf, until } from '../fixtures/collected-records.fixture';

const TOPIC = 'audit-events';

function chainOf(count: number): EvidenceChain {
  return new EvidenceChain(new TestSigner('audit-1')).appendMany(count);
}

function recordsOf(chain: EvidenceChain, from: number, to: number): { seq: number; bytes: Uint8Array }[] {
  return chain.bytes.slice(from, to).map((bytes, n) => ({ seq: from + n + 1, bytes }));
}

/** Publishes as the relay does: the same batch again until it is acknowledged, then the next. */
async function relay(
  publisher: KafkaPublisher,
  chain: EvidenceChain,
  {
    from = 0,
    size = 10,
    underWay = () => undefined,
  }: {
    from?: number;
    size?: number;
    /** Called during the first attempt for the records from a number on. */
    underWay?: (at: number) => void;
  } = {},
): Promise<{ failures: number }> {
  let failures = 0;
  for (let at = from; at < chain.bytes.length; at += size) {
    const batch = recordsOf(chain, at, at + size);
    for (let attempt = 1; ; attempt++) {
      try {
        const publishing = publisher.publish(0, batch);
        if (attempt === 1) underWay(at);
        await publishing;
        break;
      } catch (error) {
        expect(error).toMatchObject({ name: 'AuditStreamError', code: 'stream_unavailable' });
        failures++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
  return { failures };
}

/** The first occurrence of each record, in order: the records without repetitions. */
function firsts(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

describeWithKafka(
  'Kafka failing under the audit stream',
  () => {
    const kafka = withKafka({ own: true });
    const opened: { close(): Promise<void> }[] = [];

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    function publisherOf(topic: string, options: Partial<KafkaPublisherOptions> = {}): KafkaPublisher {
      const connection = { brokers: kafka().brokers, clientId: 'kernel-test' };
      const made = new KafkaPublisher({ connection, topic, shards: 1, ...options });
      opened.push(made);
      return made;
    }

    function consumerOf(topic: string, brokers = kafka().brokers): KafkaConsumer {
      const made = new KafkaConsumer({
        connection: { brokers, clientId: 'kernel-test' },
        topic,
        shards: 1,
        group: `${topic}.test`,
      });
      opened.push(made);
      return made;
    }

    function server() {
      const own = kafka().server;
      if (own === undefined) throw new Error('the broker is ours');
      return own;
    }

    it('killed again and again in the middle of publishing, it loses nothing and keeps the order', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(3_000);
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      const kills: Promise<void>[] = [];
      const { failures } = await relay(publisherOf(topic), chain, {
        underWay(at) {
          if (at % 1_000 === 500) kills.push(server().kill());
        },
      });
      await Promise.all(kills);
      await until(() => collected.texts.includes(textsOf(chain).at(-1) ?? ''), 'the last record');
      await collected.stop();
      expect(kills).toHaveLength(3);
      // The broker takes seconds to come back, kafkajs gives up sooner.
      expect(failures).toBeGreaterThanOrEqual(3);
      expect(firsts(collected.texts)).toEqual(textsOf(chain));
    }, 240_000);

    it('frozen, it is given up in time by relay, probes and workers, and used again when it is back', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(60);
      const publisher = publisherOf(topic, { publishTimeoutMs: 1_500 });
      await publisher.publish(0, recordsOf(chain, 0, 20));
      const consumer = consumerOf(topic);
      const stopped = new Collected(consumer, 0, positionIn(chain));
      const patient = new Collected(consumer, 0, positionIn(chain));
      await Promise.all([stopped.count(20), patient.count(20)]);
      await consumer.check();

      server().freeze();
      try {
        const began = performance.now();
        await expect(publisher.publish(0, recordsOf(chain, 20, 40))).rejects.toMatchObject({
          code: 'stream_unavailable',
          message: expect.stringContaining('within 1500 ms'),
        });
        await expect(consumer.check()).rejects.toMatchObject({ code: 'stream_unavailable' });
        await stopped.stop();
        expect(performance.now() - began).toBeLessThan(8_000);
      } finally {
        server().thaw();
      }
      await server().whenReady();
      await relay(publisher, chain, { from: 20 });
      await until(() => patient.texts.includes(textsOf(chain).at(-1) ?? ''), 'the last record');
      await patient.stop();
      expect(firsts(patient.texts)).toEqual(textsOf(chain));
    }, 120_000);

    it('written to by two relays at once, each in order, it gives every record its first place in order', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(1_000);
      await relay(publisherOf(topic), part(chain, 200));
      await Promise.all([
        relay(publisherOf(topic), chain, { from: 200, size: 7 }),
        relay(publisherOf(topic), chain, { from: 190, size: 31 }),
        relay(publisherOf(topic), part(chain, 600), { from: 150, size: 50 }),
      ]);
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      await collected.count(200 + 800 + 810 + 450);
      await collected.stop();
      expect(firsts(collected.texts)).toEqual(textsOf(chain));
    });
  },
  { own: true },
);

describeWithKafka(
  'a line to Kafka that breaks under the audit stream',
  () => {
    it('puts a batch in once when only its answer is lost, and nothing new is ever taken for old', async () => {
      const wire = await FaultyWire.open();
      const port = new URL(wire.through('http://127.0.0.1:1')).port;
      // Clients go to the address that the broker announces.
      const kafka = await startTestKafka({
        own: true,
        settings: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}` },
      });
      wire.through(`http://${kafka.brokers[0]}`);
      const connection = { brokers: [`127.0.0.1:${port}`], clientId: 'kernel-test' };
      const publisher = new KafkaPublisher({ connection, topic: TOPIC, shards: 1 });
      const consumer = new KafkaConsumer({ connection, topic: TOPIC, shards: 1, group: 'test' });
      try {
        const chain = chainOf(60);
        await publisher.prepare();
        await publisher.publish(0, recordsOf(chain, 0, 10));

        // The broker has it, the answer is cut off: on a retry with the same numbers, it does not store it twice.
        const cut = wire.loseAnswerTo(chain.events[10]?.id ?? '');
        await publisher.publish(0, recordsOf(chain, 10, 20));
        await cut;

        // The broker has it, the answer is cut off, and retries do not help: the publish fails.
        wire.refuse();
        const lost = wire.loseAnswerTo(chain.events[20]?.id ?? '');
        await expect(publisher.publish(0, recordsOf(chain, 20, 30))).rejects.toMatchObject({
          code: 'stream_unavailable',
        });
        await lost;
        wire.thaw();
        // Another relay published those meanwhile; this one continues after them, with as many records as had failed.
        await publisher.publish(0, recordsOf(chain, 30, 40));
        await publisher.publish(0, recordsOf(chain, 40, 60));

        const collected = new Collected(consumer, 0, positionIn(chain));
        await collected.count(60);
        await collected.stop();
        expect(collected.texts).toEqual(textsOf(chain));
      } finally {
        await publisher.close();
        await consumer.close();
        await wire.close();
        await kafka.stop();
      }
    }, 120_000);
  },
  { own: true },
);

/** The same chain, ending earlier. */
function part(chain: EvidenceChain, to: number): EvidenceChain {
  const shorter = new EvidenceChain(chain.signer, chain.origin, chain.shard);
  shorter.events.push(...chain.events.slice(0, to));
  shorter.bytes.push(...chain.bytes.slice(0, to));
  return shorter;
}
