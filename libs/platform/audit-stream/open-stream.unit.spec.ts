import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from '#platform/postgres';
import { defineConfig, loadConfig } from '#platform/process';
import { openStreamConsumer, openStreamPublisher } from './open-stream';
import { streamSettings, streamTopicSettings } from './stream-settings';

const definition = defineConfig({ ...streamSettings, ...streamTopicSettings });
const production = {
  NODE_ENV: 'production',
  KERNEL_STREAM: 'kafka',
  KAFKA_BROKERS: 'a.example.com:9093, b.example.com:9093',
  KAFKA_TLS: 'true',
  KAFKA_REPLICATION_FACTOR: '3',
  KAFKA_MIN_INSYNC_REPLICAS: '2',
};

function opened(env: Record<string, string>): string {
  const settings = loadConfig(definition, env);
  openStreamPublisher(settings, { shards: 1 });
  // Kafka's side needs no database, and PostgreSQL's own suite opens that side.
  if (settings.stream === 'kafka') {
    openStreamConsumer(settings, { consumer: 'indexer', shards: 1, dataSource: {} as DataSource });
  }
  return settings.stream;
}

function refusal(env: Record<string, string>): string {
  try {
    opened(env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

describe('the stream by its settings', () => {
  it('is PostgreSQL by default, and Kafka where it is asked for', () => {
    expect(opened({})).toBe('postgres');
    expect(opened({ KERNEL_STREAM: 'kafka', KAFKA_BROKERS: '127.0.0.1:9092' })).toBe('kafka');
    expect(opened(production)).toBe('kafka');
    const login = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_USERNAME: 'kernel', KAFKA_PASSWORD: 'x' };
    expect(opened({ ...production, ...login })).toBe('kafka');
  });

  it('has to be chosen in production, with what a lost broker must not lose', () => {
    const { KERNEL_STREAM: _stream, ...unsaid } = production;
    expect(refusal(unsaid)).toContain('KERNEL_STREAM');
    for (const name of ['KAFKA_TLS', 'KAFKA_REPLICATION_FACTOR', 'KAFKA_MIN_INSYNC_REPLICAS']) {
      expect(refusal({ ...production, [name]: '' })).toContain(name);
    }
    expect(refusal({ ...production, KERNEL_STREAM: 'postgres' })).toContain('KERNEL_STREAM: postgres is for');
  });

  it.each([
    [{ KAFKA_BROKERS: '' }, 'KAFKA_BROKERS: is missing'],
    [{ KAFKA_BROKERS: 'a.example.com' }, 'expected host:port'],
    [{ KAFKA_MIN_INSYNC_REPLICAS: '4' }, 'KAFKA_MIN_INSYNC_REPLICAS: is more than'],
    [{ KAFKA_SASL_MECHANISM: 'plain' }, 'KAFKA_USERNAME: is missing'],
    [{ KAFKA_USERNAME: 'kernel' }, 'KAFKA_USERNAME: is of no use'],
    [
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'u', KAFKA_PASSWORD: 'p', KAFKA_TLS: 'false' },
      'would show the password',
    ],
  ])('refuses %j', (change, said) => {
    expect(refusal({ ...production, ...(change as Record<string, string>) })).toContain(said);
  });

  it('refuses half of a client certificate, and files that nothing would use', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-stream-'));
    try {
      const file = join(dir, 'file.pem');
      writeFileSync(file, 'pem');
      expect(refusal({ ...production, KAFKA_CERT_FILE: file })).toContain('KAFKA_KEY_FILE: is missing');
      expect(refusal({ ...production, KAFKA_KEY_FILE: file })).toContain('KAFKA_CERT_FILE: is missing');
      expect(refusal({ ...production, KAFKA_TLS: 'false', KAFKA_CA_FILE: file })).toContain(
        'KAFKA_CA_FILE: is of no use without KAFKA_TLS=true',
      );
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
