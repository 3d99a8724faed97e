import {
  type Config,
  flag,
  list,
  matching,
  type MemberDefinition,
  oneOf,
  readableFile,
  text,
  wholeNumber,
} from '#platform/process';

/** Settings for the place of the audit stream; every app at the stream spreads them into its own `defineConfig`. */
export const streamSettings = {
  KERNEL_STREAM: {
    schema: oneOf('postgres', 'kafka'),
    description:
      "What carries events from the relay to the workers: Kafka, or for development the kernel's own PostgreSQL.",
    default: 'postgres',
    inProduction: 'required',
  },
  KAFKA_BROKERS: {
    schema: list(
      matching(/^[A-Za-z0-9.-]+:[0-9]{1,5}$/, 'host:port'),
      'host:port, several separated by commas',
    ).optional(),
    description: 'Some of the brokers, for KERNEL_STREAM=kafka; they name the others.',
  },
  KAFKA_TOPIC: {
    schema: matching(/^[A-Za-z0-9._-]{1,249}$/, 'a topic name (letters, digits, ., _ and -)'),
    description: 'The topic, one for each kernel, with as many partitions as the kernel has shards.',
    default: 'audit-events',
  },
  KAFKA_TLS: {
    schema: flag(),
    description: 'Whether brokers are spoken to by TLS.',
    default: false,
    inProduction: 'required',
  },
  KAFKA_CA_FILE: {
    schema: readableFile().optional(),
    description: "The authorities (PEM) of the brokers' certificates, when the system does not know them.",
  },
  KAFKA_CERT_FILE: {
    schema: readableFile().optional(),
    description: 'Client certificate chain (PEM), where brokers ask for one.',
  },
  KAFKA_KEY_FILE: {
    schema: readableFile().optional(),
    description: 'Private key (PEM) that belongs to KAFKA_CERT_FILE.',
  },
  KAFKA_SASL_MECHANISM: {
    schema: oneOf('none', 'plain', 'scram-sha-256', 'scram-sha-512'),
    description: 'How the client names itself to the brokers. Anything but none needs TLS in production.',
    default: 'none',
  },
  KAFKA_USERNAME: {
    schema: text().optional(),
    description: 'User name for KAFKA_SASL_MECHANISM.',
    fromFile: true,
    rotates: true,
  },
  KAFKA_PASSWORD: {
    schema: text().optional(),
    description: 'Password for KAFKA_SASL_MECHANISM.',
    secret: true,
    rotates: true,
  },
} as const satisfies Record<string, MemberDefinition>;

/** Settings with which the relay creates a missing topic. An existing one keeps its settings. */
export const streamTopicSettings = {
  KAFKA_REPLICATION_FACTOR: {
    schema: wholeNumber({ min: 1, max: 32 }),
    description: 'Brokers that store each record of a topic that the relay makes.',
    default: 1,
    inProduction: 'required',
  },
  KAFKA_MIN_INSYNC_REPLICAS: {
    schema: wholeNumber({ min: 1, max: 32 }),
    description:
      'How many of them have to have a record before it counts as published; two of three is what is usual.',
    default: 1,
    inProduction: 'required',
  },
  KAFKA_RETENTION_MS: {
    schema: wholeNumber({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    description:
      'Age at which Kafka deletes records; -1: never. It has to outlast any stop of indexer and archiver.',
    default: -1,
    unit: 'ms',
  },
} as const satisfies Record<string, MemberDefinition>;

export type StreamSettings = Config<typeof streamSettings>;
export type StreamTopicSettings = Config<typeof streamTopicSettings>;
