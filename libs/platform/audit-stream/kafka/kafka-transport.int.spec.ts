import { type Admin, ConfigResourceTypes, Kafka, logLevel, type Message } from 'kafkajs';
import { describeWithKafka, EvidenceChain, TestSigner, withKafka } from '#dev/testing';
import { KafkaConsumer } from './kafka-consumer';
import { type KafkaTopicOptions } from './kafka-topic';
import { KafkaPublisher } from './kafka-publisher';
import { type AuditStreamObserver } from '../audit-stream';
import { type AuditStreamError } from '../audit-stream.error';
import { Collected, positionIn, textsOf, until } from '../fixtures/collected-records.fixture';

describeWithKafka('the audit stream in Kafka', () => {
  const kafka = withKafka();
  let admin: Admin;
  const opened: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    admin = client().admin();
    await admin.connect();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });
  afterAll(async () => {
    await admin?.disconnect();
  });

  function client(): Kafka {
    return new Kafka({ brokers: kafka().brokers, clientId: 'kernel-test', logLevel: logLevel.NOTHING });
  }

  function connection() {
    return { brokers: kafka().brokers, clientId: 'kernel-test' };
  }

  function publisherOf(
    topic: string,
    options: { shards?: number; topicOptions?: KafkaTopicOptions; recordsPerProducer?: number } = {},
  ): KafkaPublisher {
    const made = new KafkaPublisher({ connection: connection(), topic, shards: 1, ...options });
    opened.push(made);
    return made;
  }

  function consumerOf(
    topic: string,
    options: { shards?: number; observer?: AuditStreamObserver } = {},
  ): KafkaConsumer {
    const made = new KafkaConsumer({
      connection: connection(),
      topic,
      shards: 1,
      group: `${topic}.test`,
      ...options,
    });
    opened.push(made);
    return made;
  }

  function chainOf(count: number, shard = 0): EvidenceChain {
    return new EvidenceChain(new TestSigner('audit-1'), undefined, shard).appendMany(count);
  }

  function recordsOf(chain: EvidenceChain, from = 0, to?: number): { seq: number; bytes: Uint8Array }[] {
    return chain.bytes.slice(from, to).map((bytes, n) => ({ seq: from + n + 1, bytes }));
  }

  /** Writes into a topic as anyone with the rights could. */
  async function byHand(topic: string, messages: Message[]): Promise<void> {
    const producer = client().producer({
      allowAutoTopicCreation: false,
      createPartitioner: () => () => 0,
    });
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** All that a subscription gets until a certain text comes. */
  async function readUntil(collected: Collected, text: string): Promise<string[]> {
    await until(() => collected.texts.includes(text), 'the last record');
    await collected.stop();
    return collected.texts;
  }

  async function recreate(topic: string, partitions = 1): Promise<void> {
    await admin.deleteTopics({ topics: [topic] });
    // The name is free when the deletion is complete.
    await until(
      () =>
        admin
          .createTopics({
            waitForLeaders: true,
            topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
          })
          .catch(() => false),
      'the topic made anew',
    );
  }

  async function deleteBefore(topic: string, offset: string): Promise<void> {
    // kafkajs looks for the leader before it has asked about the topic.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  }

  describe('its topic', () => {
    it('is made with one partition per shard and keeps every record', async () => {
      const topic = kafka().topicName();
      const publisher = publisherOf(topic, {
        shards: 3,
        topicOptions: { replicationFactor: 1, minInsyncReplicas: 1, retentionMs: 86_400_000 },
      });
      await publisher.prepare();
      await publisher.prepare();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      expect(topics[0]?.partitions).toHaveLength(3);
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
      });
      const entries = (resources[0]?.configEntries ?? []).map((entry) => [
        entry.configName,
        entry.configValue,
      ]);
      expect(Object.fromEntries(entries)).toMatchObject({
        'cleanup.policy': 'delete',
        'retention.ms': '86400000',
        'retention.bytes': '-1',
        'min.insync.replicas': '1',
        'unclean.leader.election.enable': 'false',
        'max.message.bytes': '1048588',
      });
    });

    it('may be made by several relays at once', async () => {
      const topic = kafka().topicName();
      await Promise.all([1, 2, 3].map(() => publisherOf(topic, { shards: 2 }).prepare()));
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      expect(topics[0]?.partitions).toHaveLength(2);
    });

    it.each([1, 3])(
      'is refused with %i partitions for 2 shards, by relay and workers',
      async (partitions) => {
        const topic = await kafka().createTopic(partitions);
        const refused = {
          name: 'AuditStreamError',
          code: 'partitions_mismatch',
          details: { topic, partitions, shards: 2 },
        };
        await expect(publisherOf(topic, { shards: 2 }).prepare()).rejects.toMatchObject(refused);
        const collected = new Collected(consumerOf(topic, { shards: 2 }), 0, positionIn(chainOf(1)));
        await expect(collected.ended).rejects.toMatchObject(refused);
      },
    );

    it('is refused when it is compacted: all records of a shard have one key', async () => {
      const topic = await kafka().createTopic(1, { 'cleanup.policy': 'compact' });
      await expect(publisherOf(topic).prepare()).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringContaining('compacted'),
      });
    });

    it('is waited for by workers until the relay has made it', async () => {
      const topic = kafka().topicName();
      const waiting: AuditStreamError[] = [];
      const consumer = consumerOf(topic, { observer: { onInterrupted: (_, error) => waiting.push(error) } });
      const chain = chainOf(5);
      const collected = new Collected(consumer, 0, positionIn(chain));
      await until(() => waiting.length > 1, 'the consumer waiting');
      expect(waiting[0]?.message).toContain(`no Kafka topic ${topic} yet`);
      await expect(consumer.check()).rejects.toMatchObject({ code: 'stream_unavailable' });
      const publisher = publisherOf(topic);
      await publisher.prepare();
      await publisher.publish(0, recordsOf(chain));
      await collected.count(5);
      await collected.stop();
      await consumer.check();
      await publisher.check();
    });
  });

  describe('its records', () => {
    it('have the shard as key and partition, and the bytes as value', async () => {
      const topic = await kafka().createTopic(2);
      const chain = chainOf(3, 1);
      await publisherOf(topic, { shards: 2 }).publish(1, recordsOf(chain));
      const seen: { partition: number; key: string; value: string; headers: number }[] = [];
      const consumer = client().consumer({ groupId: `${topic}.other` });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ partition, message: { key, value, headers } }) => {
          seen.push({
            partition,
            key: String(key),
            value: String(value),
            headers: Object.keys(headers ?? {}).length,
          });
        },
      });
      await until(() => seen.length === 3, 'three messages');
      await consumer.disconnect();
      expect(seen).toEqual(textsOf(chain).map((value) => ({ partition: 1, key: '1', value, headers: 0 })));
    });

    it('come to the handler as they are: altered, dropped, repeated, or none of ours', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(6);
      const [one = '', two = '', three = '', , five = '', six = ''] = textsOf(chain);
      const values = [one, two.replace('event 2', 'event 9'), three, three, five, one, 'not JSON', six];
      await byHand(topic, [
        ...values.map((value) => ({ key: '0', value })),
        { key: null, value: null },
        { key: 'other', value: Buffer.from([0, 255, 254, 1]) },
        { key: '0', value: 'end' },
      ]);
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      const texts = await readUntil(collected, 'end');
      expect(texts.slice(0, 9)).toEqual([...values, '']);
      expect(Buffer.from(collected.records[9]?.bytes ?? [])).toEqual(Buffer.from([0, 255, 254, 1]));
      expect(collected.records.map(({ nextCursor }) => Number(nextCursor))).toEqual([
        ...Array.from({ length: 11 }, (_, n) => n + 1),
      ]);
    });

    it('may be of any number at once', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(4_000);
      await publisherOf(topic).publish(0, recordsOf(chain));
      await publisherOf(topic).publish(0, []);
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      await collected.count(4_000);
      await collected.stop();
      expect(collected.texts).toEqual(textsOf(chain));
    });

    it('go out in order whichever producer sends them', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(300);
      const publisher = publisherOf(topic, { recordsPerProducer: 100 });
      for (let from = 0; from < 300; from += 25)
        await publisher.publish(0, recordsOf(chain, from, from + 25));
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      await collected.count(300);
      await collected.stop();
      expect(collected.texts).toEqual(textsOf(chain));
    });
  });

  describe('a position in it', () => {
    it('counts, and not what was noted for the group', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(20);
      await publisherOf(topic).publish(0, recordsOf(chain));
      const noted = async (): Promise<string | undefined> => {
        const [offsets] = await admin.fetchOffsets({ groupId: `${topic}.test`, topics: [topic] });
        return offsets?.partitions[0]?.offset;
      };
      const all = new Collected(consumerOf(topic), 0, positionIn(chain));
      await all.count(20);
      // For tools that show the lag of a group.
      await until(async () => (await noted()) === '20', 'the noted offset');
      await all.stop();
      const rest = new Collected(consumerOf(topic), 0, positionIn(chain, 12, '12'));
      expect(await readUntil(rest, textsOf(chain)[19] ?? '')).toEqual(textsOf(chain, 12));
    });

    it('is found again in a topic that was made anew, shorter than before', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(30);
      await recreate(topic);
      // The relay continues where it was.
      await publisherOf(topic).publish(0, recordsOf(chain, 18));
      const rest = new Collected(consumerOf(topic), 0, positionIn(chain, 20, '20'));
      expect(await readUntil(rest, textsOf(chain)[29] ?? '')).toEqual(textsOf(chain, 18));
    });

    it('is found again in a topic that was made anew, although its offset is there too', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(40);
      // Begins with event 11: offset 20 is that of event 31.
      await publisherOf(topic).publish(0, recordsOf(chain, 10));
      const rest = new Collected(consumerOf(topic), 0, positionIn(chain, 20, '20'));
      expect(await readUntil(rest, textsOf(chain)[39] ?? '')).toEqual(textsOf(chain, 10));
    });

    it('is found again while it is read, when the topic is made anew', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(30);
      const publisher = publisherOf(topic);
      await publisher.publish(0, recordsOf(chain, 0, 20));
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain));
      await collected.count(20);
      await recreate(topic);
      const last = textsOf(chain)[29] ?? '';
      await until(
        () =>
          publisher.publish(0, recordsOf(chain, 15)).then(
            () => true,
            () => false,
          ),
        'the relay publishing again',
      );
      const texts = await readUntil(collected, last);
      expect(texts.slice(0, 20)).toEqual(textsOf(chain, 0, 20));
      expect(new Set(texts.slice(20))).toEqual(new Set(textsOf(chain, 15)));
    });

    it('says which records are lost when they were deleted before they were read', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(30);
      await publisherOf(topic).publish(0, recordsOf(chain));
      await deleteBefore(topic, '25');
      const lost = { code: 'records_lost', details: { topic, shard: 0, position: 20, first: 26 } };
      for (const cursor of ['20', null]) {
        const collected = new Collected(consumerOf(topic), 0, positionIn(chain, 20, cursor));
        await expect(collected.ended).rejects.toMatchObject(lost);
        expect(collected.records).toEqual([]);
      }
      // Nothing is lost for a reader that had read that far, though the record before is gone.
      const rest = new Collected(consumerOf(topic), 0, positionIn(chain, 25, '25'));
      expect(await readUntil(rest, textsOf(chain)[29] ?? '')).toEqual(textsOf(chain, 25));
      const later = new Collected(consumerOf(topic), 0, positionIn(chain, 28, '28'));
      expect(await readUntil(later, textsOf(chain)[29] ?? '')).toEqual(textsOf(chain, 28));
    });

    it('notices that records were deleted while the handler was at work', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(40);
      const publisher = publisherOf(topic);
      await publisher.publish(0, recordsOf(chain, 0, 10));
      const collected = new Collected(consumerOf(topic), 0, positionIn(chain), async () => {
        await publisher.publish(0, recordsOf(chain, 10));
        await deleteBefore(topic, '30');
      });
      await expect(collected.ended).rejects.toMatchObject({
        code: 'records_lost',
        details: { position: 10, first: 31 },
      });
      expect(collected.texts).toEqual(textsOf(chain, 0, 10));
    });

    it('waits for the next record when all that were there are deleted, and then judges', async () => {
      const topic = await kafka().createTopic(1);
      const chain = chainOf(12);
      const publisher = publisherOf(topic);
      await publisher.publish(0, recordsOf(chain, 0, 10));
      await deleteBefore(topic, '10');
      const behind = new Collected(consumerOf(topic), 0, positionIn(chain, 8, '8'));
      const level = new Collected(consumerOf(topic), 0, positionIn(chain, 10, '10'));
      await publisher.publish(0, recordsOf(chain, 10));
      await expect(behind.ended).rejects.toMatchObject({ code: 'records_lost' });
      expect(await readUntil(level, textsOf(chain)[11] ?? '')).toEqual(textsOf(chain, 10));
    });
  });
});
