import { Kafka, logLevel } from 'kafkajs';
import { describeWithKafka, withKafka } from '#dev/testing';

describeWithKafka(
  'the Kafka broker of tests and development',
  () => {
    const kafka = withKafka({ own: true });

    async function recordsOf(topic: string): Promise<string> {
      const client = new Kafka({ brokers: kafka().brokers, logLevel: logLevel.NOTHING });
      const admin = client.admin();
      await admin.connect();
      try {
        const [partition] = await admin.fetchTopicOffsets(topic);
        return partition?.high ?? 'none';
      } finally {
        await admin.disconnect();
      }
    }

    async function write(topic: string): Promise<void> {
      const client = new Kafka({ brokers: kafka().brokers, logLevel: logLevel.NOTHING });
      const producer = client.producer({ createPartitioner: () => () => 0 });
      await producer.connect();
      try {
        await producer.send({ topic, messages: [{ value: 'x' }] });
      } finally {
        await producer.disconnect();
      }
    }

    it('keeps its records when it is killed, frozen, or stopped and started', async () => {
      const topic = await kafka().createTopic(1);
      const server = kafka().server;
      if (server === undefined) throw new Error('a server of the own was asked for');
      await write(topic);

      const first = server.pid;
      await server.kill();
      await server.whenReady();
      expect(server.pid).not.toBe(first);
      expect(server.restarts).toBe(1);
      await write(topic);

      server.freeze();
      // The signal reaches its threads one by one: what was asked just now may still be answered.
      let refusal: unknown;
      while (refusal === undefined) refusal = await server.whenReady(100).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'process_failed' });
      server.thaw();
      await server.whenReady();
      await write(topic);

      await server.stop();
      expect(server.pid).toBeUndefined();
      await server.start();
      await write(topic);
      expect(await recordsOf(topic)).toBe('4');
    }, 240_000);
  },
  { own: true },
);
