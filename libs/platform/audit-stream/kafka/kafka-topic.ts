import { type Admin, ConfigResourceTypes } from 'kafkajs';
import { withRetries } from '#platform/resilience';
import { partitionsMismatch } from './kafka-consumer';
import { kafkaErrorType } from './kafka-failure';
import { AuditStreamError } from '../audit-stream.error';

/** Settings for a topic that does not exist yet. */
export interface KafkaTopicOptions {
  /** Brokers that store each record. Default: the brokers' own. */
  readonly replicationFactor?: number;
  /** How many of them must have it before it counts as written. Default: the brokers' own. */
  readonly minInsyncReplicas?: number;
  /** Age at which records are deleted; -1, the default: never. */
  readonly retentionMs?: number;
}

/** The brokers' own default for the replication factor (KIP-464). */
const BROKERS_DEFAULT = -1;
/** Size of one batch of records; Kafka's own default, set so that a broker's different one does not matter. */
export const MAX_BATCH_BYTES = 1_048_588;

/** About four seconds in all. */
const SPREADING = { attempts: 20, firstPauseMs: 50, longestPauseMs: 500 };
const UNHEARD_OF: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/**
 * Creates the topic with one partition per shard, or refuses one that cannot carry the stream.
 * @throws AuditStreamError `partitions_mismatch`, `misconfigured`; whatever kafkajs throws
 */
export async function prepareTopic(
  admin: Admin,
  topic: string,
  shards: number,
  options: KafkaTopicOptions,
): Promise<void> {
  let partitions = await partitionsOf(admin, topic);
  if (partitions === null) {
    // Another relay may be creating it at this moment: then read it again.
    await whileSpreading(() => create(admin, topic, shards, options));
    partitions = await whileSpreading(() => existingPartitionsOf(admin, topic));
  }
  if (partitions !== shards) throw partitionsMismatch(topic, partitions, shards);
  await whileSpreading(() => assertKeepsEveryRecord(admin, topic));
}

/** Repeats what asks a broker that has not heard of a new topic yet: it learns of it a moment after the controller. */
function whileSpreading<T>(attempt: () => Promise<T>): Promise<T> {
  return withRetries(
    SPREADING,
    undefined,
    (error) => UNHEARD_OF.has(kafkaErrorType(error) ?? '') || error instanceof NotThereYet,
    attempt,
  );
}

class NotThereYet extends Error {}

async function existingPartitionsOf(admin: Admin, topic: string): Promise<number> {
  const partitions = await partitionsOf(admin, topic);
  if (partitions === null)
    throw new NotThereYet(`Kafka's topic ${topic} was created, and no broker has it yet.`);
  return partitions;
}

async function partitionsOf(admin: Admin, topic: string): Promise<number | null> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions.length ?? 0;
    return partitions === 0 ? null : partitions;
  } catch (error) {
    if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
    throw error;
  }
}

async function create(
  admin: Admin,
  topic: string,
  shards: number,
  options: KafkaTopicOptions,
): Promise<void> {
  const { replicationFactor, minInsyncReplicas, retentionMs = -1 } = options;
  const settings: Record<string, string> = {
    // Never compacted: all records of a shard have the same key, so compaction would leave only the last one.
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs),
    'retention.bytes': '-1',
    'max.message.bytes': String(MAX_BATCH_BYTES),
    'unclean.leader.election.enable': 'false',
    ...(minInsyncReplicas === undefined ? {} : { 'min.insync.replicas': String(minInsyncReplicas) }),
  };
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: shards,
        replicationFactor: replicationFactor ?? BROKERS_DEFAULT,
        configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
      },
    ],
  });
}

/** A compacted topic keeps one record per key, which is one per shard. */
async function assertKeepsEveryRecord(admin: Admin, topic: string): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['cleanup.policy'] }],
  });
  const policy = resources[0]?.configEntries[0]?.configValue ?? '';
  if (!policy.includes('compact')) return;
  throw new AuditStreamError(
    'misconfigured',
    `Kafka's topic ${topic} is compacted, which would leave one record of each shard; set its cleanup.policy to delete.`,
    { topic, policy },
  );
}
