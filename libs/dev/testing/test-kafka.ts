import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { defineConfig, list, loadConfig, text } from '#platform/process';
import {
  guardFolder,
  kafkaMissing,
  type KafkaServer,
  type KafkaServerOptions,
  releaseFolder,
  startKafkaServer,
} from '#dev/devstack';
import { describeWith } from './describe-with';

export interface TestKafka {
  /** Bootstrap servers, for clients without TLS. */
  readonly brokers: string[];
  /** The broker's process; undefined when KAFKA_BROKERS names another one. */
  readonly server: KafkaServer | undefined;
  /** A new topic with this many partitions, stored once. It is removed by `stop` where the broker stays. */
  createTopic(partitions: number, settings?: Readonly<Record<string, string>>): Promise<string>;
  /** A name that no topic has; `stop` removes the topic if there is one by then. */
  topicName(): string;
  /** Removes the broker and its folder, or the topics that were made on one that stays. */
  stop(): Promise<void>;
}

const settings = defineConfig({
  KAFKA_BROKERS: {
    schema: list(text(), 'host:port, separated by commas').optional(),
    description: 'Run the Kafka tests against these brokers instead of starting one.',
  },
});

/** Why the tests with a real Kafka broker cannot run here, or null when they can. */
export function kafkaTestsMissing(): string | null {
  return loadConfig(settings).kafkaBrokers === undefined ? kafkaMissing() : null;
}

/**
 * A suite that needs a real Kafka broker (describeWith).
 * `own`: it needs a broker that the test may kill; KAFKA_BROKERS is then no help (`startTestKafka({ own })`), and no
 * more than a reason to skip.
 */
export function describeWithKafka(name: string, suite: () => void, { own = false } = {}): void {
  const missing = own ? kafkaMissing() : kafkaTestsMissing();
  const isNamed = loadConfig(settings).kafkaBrokers !== undefined;
  describeWith({ missing, isNamed }, name, suite);
}

export interface TestKafkaOptions extends Pick<KafkaServerOptions, 'settings' | 'secured' | 'restart'> {
  /** A broker of the test's own, whatever KAFKA_BROKERS says. */
  own?: boolean;
}

/** A real Kafka broker in a temp folder on a free port, or those that KAFKA_BROKERS names. */
export async function startTestKafka({ own = false, ...options }: TestKafkaOptions = {}): Promise<TestKafka> {
  const named = own ? undefined : loadConfig(settings).kafkaBrokers;
  if (named !== undefined) return testKafka([...named], undefined, async () => undefined);
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-kafka-'));
  guardFolder(dir);
  const removeDir = async (): Promise<void> => {
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  };
  try {
    const server = await startKafkaServer({ dir, ...options });
    return testKafka([server.broker], server, async () => {
      await server.stop();
      await removeDir();
    });
  } catch (error) {
    await removeDir();
    throw error;
  }
}

/** One broker for a test file, as withPostgres does it for a database. */
export function withKafka(options: TestKafkaOptions = {}): () => TestKafka {
  let kafka: TestKafka | undefined;
  beforeAll(async () => {
    kafka = await startTestKafka(options);
  }, 120_000);
  afterAll(async () => {
    await kafka?.stop();
  }, 60_000);
  return () => {
    if (kafka === undefined) throw new Error('withKafka: only usable inside tests and hooks');
    return kafka;
  };
}

function testKafka(brokers: string[], server: KafkaServer | undefined, end: () => Promise<void>): TestKafka {
  const topics = new Set<string>();
  const admin = new Kafka({ brokers, clientId: 'kernel-test', logLevel: logLevel.NOTHING }).admin();
  const asAdmin = async <T>(work: () => Promise<T>): Promise<T> => {
    await admin.connect();
    try {
      return await work();
    } finally {
      await admin.disconnect();
    }
  };
  const topicName = (): string => {
    const name = `test-${randomBytes(8).toString('hex')}`;
    topics.add(name);
    return name;
  };
  return {
    brokers,
    server,
    topicName,
    async createTopic(partitions, config = {}) {
      const topic = topicName();
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      await asAdmin(() =>
        admin.createTopics({
          waitForLeaders: true,
          topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
        }),
      );
      return topic;
    },
    async stop() {
      if (server === undefined && topics.size > 0) {
        await asAdmin(async () => {
          const there = await admin.listTopics();
          await admin.deleteTopics({ topics: [...topics].filter((topic) => there.includes(topic)) });
        });
      }
      await end();
    },
  };
}
