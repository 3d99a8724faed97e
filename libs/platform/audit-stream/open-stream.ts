import { type SASLOptions } from 'kafkajs';
import { type DataSource } from '#platform/postgres';
import {
  ConfigError,
  type ConfigProblem,
  createLogger,
  type Logger,
  type Secret,
  TlsFiles,
} from '#platform/process';
import {
  type AuditStreamConsumer,
  type AuditStreamObserver,
  type AuditStreamPublisher,
} from './audit-stream';
import { KafkaConsumer } from './kafka/kafka-consumer';
import { type KafkaConnection } from './kafka/kafka-options';
import { KafkaPublisher } from './kafka/kafka-publisher';
import { PostgresConsumer } from './postgres/postgres-consumer';
import { PostgresPublisher } from './postgres/postgres-publisher';
import { type StreamSettings, type StreamTopicSettings } from './stream-settings';

export interface OpenConsumerOptions {
  /** Name of the worker: `indexer`, `archiver`. */
  readonly consumer: string;
  readonly shards: number;
  /** Initialised; owned by the caller. The stream over PostgreSQL reads it. */
  readonly dataSource: DataSource;
  readonly observer?: AuditStreamObserver;
  /** With it, the TLS files are followed while they are renewed, which it logs. Without it, they are read once. */
  readonly logger?: Logger;
}

/** Logger for files that are read once. */
const SILENT = createLogger({ app: 'audit-stream', level: 'silent' });

/**
 * Opens the relay's side of the stream that the settings name. Does not connect yet.
 * @throws ConfigError naming what the chosen stream lacks, or what production must not have
 */
export function openStreamPublisher(
  settings: StreamSettings & StreamTopicSettings,
  { shards, logger }: { readonly shards: number; readonly logger?: Logger },
): AuditStreamPublisher {
  const problems = settingsProblems(settings);
  if (settings.kafkaMinInsyncReplicas > settings.kafkaReplicationFactor) {
    problems.push({
      member: 'KAFKA_MIN_INSYNC_REPLICAS',
      problem: `is more than KAFKA_REPLICATION_FACTOR (${settings.kafkaReplicationFactor}); nothing could ever be published`,
    });
  }
  refuse(problems);
  if (settings.stream === 'postgres') return new PostgresPublisher();
  return new KafkaPublisher({
    connection: kafkaConnection(settings, 'kernel-outbox-relay', logger),
    topic: settings.kafkaTopic,
    shards,
    topicOptions: {
      replicationFactor: settings.kafkaReplicationFactor,
      minInsyncReplicas: settings.kafkaMinInsyncReplicas,
      retentionMs: settings.kafkaRetentionMs,
    },
  });
}

/**
 * Opens a worker's side of the stream that the settings name. Does not connect yet.
 * @throws ConfigError naming what the chosen stream lacks, or what production must not have
 */
export function openStreamConsumer(
  settings: StreamSettings,
  { consumer, shards, dataSource, observer, logger }: OpenConsumerOptions,
): AuditStreamConsumer {
  refuse(settingsProblems(settings));
  const observed = observer === undefined ? {} : { observer };
  if (settings.stream === 'postgres') return new PostgresConsumer({ dataSource, shards, ...observed });
  return new KafkaConsumer({
    connection: kafkaConnection(settings, `kernel-${consumer}`, logger),
    topic: settings.kafkaTopic,
    shards,
    // Specific to this topic, and so to this kernel alone.
    group: `${settings.kafkaTopic}.${consumer}`,
    ...observed,
  });
}

function settingsProblems(settings: StreamSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (member: string, problem: string): void => void problems.push({ member, problem });
  const { stream, isProduction, kafkaTls, kafkaSaslMechanism, kafkaCertFile, kafkaKeyFile } = settings;
  if (stream === 'postgres') {
    if (isProduction) {
      add('KERNEL_STREAM', 'postgres is for development only: it keeps no copy of its own; use kafka');
    }
    return problems;
  }
  if (settings.kafkaBrokers === undefined) add('KAFKA_BROKERS', 'is missing; name some of the brokers');
  if ((kafkaCertFile === undefined) !== (kafkaKeyFile === undefined)) {
    const [missing, given] =
      kafkaCertFile === undefined
        ? ['KAFKA_CERT_FILE', 'KAFKA_KEY_FILE']
        : ['KAFKA_KEY_FILE', 'KAFKA_CERT_FILE'];
    add(missing, `is missing although ${given} is set; set both or none`);
  }
  if (!kafkaTls) {
    for (const [member, value] of [
      ['KAFKA_CA_FILE', settings.kafkaCaFile],
      ['KAFKA_CERT_FILE', kafkaCertFile],
    ] as const) {
      if (value !== undefined) add(member, 'is of no use without KAFKA_TLS=true');
    }
  }
  if (kafkaSaslMechanism === 'none') {
    for (const [member, value] of [
      ['KAFKA_USERNAME', settings.kafkaUsername],
      ['KAFKA_PASSWORD', settings.kafkaPassword],
    ] as const) {
      if (value !== undefined) add(member, 'is of no use with KAFKA_SASL_MECHANISM=none; choose one');
    }
    return problems;
  }
  if (settings.kafkaUsername === undefined)
    add('KAFKA_USERNAME', 'is missing; KAFKA_SASL_MECHANISM needs it');
  if (settings.kafkaPassword === undefined)
    add('KAFKA_PASSWORD', 'is missing; KAFKA_SASL_MECHANISM needs it');
  if (isProduction && !kafkaTls)
    add('KAFKA_SASL_MECHANISM', 'would show the password to the network; set KAFKA_TLS=true');
  return problems;
}

function refuse(problems: readonly ConfigProblem[]): void {
  if (problems.length > 0) throw new ConfigError('invalid_configuration', [...problems]);
}

function kafkaConnection(settings: StreamSettings, clientId: string, logger?: Logger): KafkaConnection {
  const sasl = saslOptions(settings);
  return {
    brokers: settings.kafkaBrokers ?? [],
    clientId,
    ...(settings.kafkaTls ? kafkaTls(settings, logger) : {}),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function kafkaTls(
  { kafkaCaFile: ca, kafkaCertFile: cert, kafkaKeyFile: key }: StreamSettings,
  logger: Logger | undefined,
): Pick<KafkaConnection, 'tls' | 'renewals'> {
  const files = new TlsFiles({ use: 'kafka', paths: { ca, cert, key }, logger: logger ?? SILENT });
  if (logger === undefined) files.close();
  const tls = {
    get ca() {
      return files.current.ca;
    },
    get cert() {
      return files.current.cert;
    },
    get key() {
      return files.current.key;
    },
  };
  return { tls, renewals: files };
}

function saslOptions(settings: StreamSettings): SASLOptions | undefined {
  const { kafkaSaslMechanism: mechanism, kafkaUsername = '', kafkaPassword = '' } = settings;
  if (mechanism === 'none') return undefined;
  const now = (secret: Secret): string => (typeof secret === 'string' ? secret : secret.look());
  // Asked by the library whenever it logs in.
  return {
    mechanism,
    get username() {
      return now(kafkaUsername);
    },
    get password() {
      return now(kafkaPassword);
    },
  };
}
