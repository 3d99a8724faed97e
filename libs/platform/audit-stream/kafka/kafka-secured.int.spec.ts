import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from '#platform/postgres';
import { createLogger, defineConfig, loadConfig } from '#platform/process';
import {
  describeWithKafka,
  EvidenceChain,
  startTestKafka,
  TestCa,
  type TestKafka,
  TestSigner,
} from '#dev/testing';
import { type AuditStreamConsumer, type AuditStreamPublisher } from '../audit-stream';
import { Collected, positionIn, textsOf } from '../fixtures/collected-records.fixture';
import { openStreamConsumer, openStreamPublisher } from '../open-stream';
import { streamSettings, streamTopicSettings } from '../stream-settings';

describeWithKafka(
  'the audit stream in a Kafka that wants TLS and a password',
  () => {
    const logger = createLogger({ app: 'test', level: 'silent' });
    const dir = mkdtempSync(join(tmpdir(), 'kernel-test-secured-kafka-'));
    const file = (name: string): string => join(dir, name);
    let kafka: TestKafka | undefined;
    let ours: Record<string, string>;

    beforeAll(async () => {
      const ca = await TestCa.create();
      const { cert, key } = await ca.issue({
        subject: [{ CN: ['kafka'] }],
        names: [{ type: 'ip', value: '127.0.0.1' }],
        usage: 'server',
      });
      writeFileSync(file('broker.pem'), `${key}\n${cert}\n`, { mode: 0o600 });
      writeFileSync(file('ca.pem'), ca.cert);
      writeFileSync(file('other-ca.pem'), (await TestCa.create('another CA')).cert);
      kafka = await startTestKafka({
        own: true,
        secured: {
          keystoreFile: file('broker.pem'),
          users: { relay: 'of-this-test', 'relay-2': 'of-another-user' },
        },
      });
      ours = {
        KERNEL_STREAM: 'kafka',
        KAFKA_BROKERS: kafka.server?.securedBroker ?? '',
        KAFKA_TLS: 'true',
        KAFKA_CA_FILE: file('ca.pem'),
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_USERNAME: 'relay',
        KAFKA_PASSWORD: 'of-this-test',
      };
    }, 120_000);
    afterAll(async () => {
      await kafka?.stop();
      await rm(dir, { recursive: true, force: true });
    }, 60_000);

    async function withStream(
      change: Record<string, string>,
      use: (publisher: AuditStreamPublisher, consumer: AuditStreamConsumer) => Promise<void>,
    ): Promise<void> {
      const settings = loadConfig(defineConfig({ ...streamSettings, ...streamTopicSettings }), {
        ...ours,
        ...change,
      });
      const publisher = openStreamPublisher(settings, { shards: 1, logger });
      const consumer = openStreamConsumer(settings, {
        consumer: 'indexer',
        shards: 1,
        dataSource: {} as DataSource,
        logger,
      });
      try {
        await use(publisher, consumer);
      } finally {
        await publisher.close();
        await consumer.close();
      }
    }

    it('works by its settings', () =>
      withStream({}, async (publisher, consumer) => {
        const chain = new EvidenceChain(new TestSigner('audit-1')).appendMany(20);
        await publisher.prepare();
        await publisher.publish(
          0,
          chain.bytes.map((bytes, n) => ({ seq: n + 1, bytes })),
        );
        await publisher.check();
        await consumer.check();
        const collected = new Collected(consumer, 0, positionIn(chain));
        await collected.count(20);
        await collected.stop();
        expect(collected.texts).toEqual(textsOf(chain));
      }));

    it('opens new connections by the authority that is in its file by then', async () => {
      const followed = file('followed-ca.pem');
      const put = (from: string): void => {
        copyFileSync(file(from), followed);
        process.emit('SIGHUP');
      };
      put('ca.pem');
      await withStream({ KAFKA_CA_FILE: followed }, async (publisher) => {
        await publisher.prepare();
        put('other-ca.pem');
        await expect(publisher.prepare()).rejects.toMatchObject({ code: 'stream_unavailable' });
        put('ca.pem');
        await publisher.prepare();
      });
    });

    it('logs in on new connections with what its files have by then', async () => {
      const put = (username: string, password: string): void => {
        writeFileSync(file('username'), `${username}\n`);
        writeFileSync(file('password'), `${password}\n`);
      };
      put('relay', 'of-this-test');
      const change = {
        ...{ KAFKA_USERNAME: '', KAFKA_USERNAME_FILE: file('username') },
        ...{ KAFKA_PASSWORD: '', KAFKA_PASSWORD_FILE: file('password') },
      };
      await withStream(change, async (publisher) => {
        await publisher.prepare();
        put('relay', 'of-another-test');
        await expect(publisher.prepare()).rejects.toMatchObject({ code: 'stream_unavailable' });
        put('relay-2', 'of-another-user');
        await publisher.prepare();
      });
    });

    it.each([
      ['a wrong password', { KAFKA_PASSWORD: 'of-another-test' }],
      ['no password', { KAFKA_SASL_MECHANISM: 'none', KAFKA_USERNAME: '', KAFKA_PASSWORD: '' }],
      ['a broker of another authority', 'other-ca'],
      ['no TLS', { KAFKA_TLS: 'false', KAFKA_CA_FILE: '' }],
    ])('refuses %s', (_, change) =>
      withStream(
        change === 'other-ca' ? { KAFKA_CA_FILE: file('other-ca.pem') } : (change as Record<string, string>),
        async (publisher, consumer) => {
          const refused = { name: 'AuditStreamError', code: 'stream_unavailable' };
          await expect(publisher.prepare()).rejects.toMatchObject(refused);
          await expect(publisher.publish(0, [{ seq: 1, bytes: Buffer.from('x') }])).rejects.toMatchObject(
            refused,
          );
          const failed = await consumer.check().catch((error: unknown) => error);
          expect(failed).toMatchObject(refused);
          expect(JSON.stringify(failed) + String(failed)).not.toContain('of-another-test');
        },
      ),
    );
  },
  { own: true },
);
