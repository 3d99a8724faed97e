import { Kafka, logLevel } from 'kafkajs';
import Cluster from 'kafkajs/src/cluster';
import { kafkaErrorType, kafkaUnavailable } from './kafka-failure';
import { CONNECT_RETRY, CONNECT_TIMEOUT_MS, type KafkaConnection, REQUEST_TIMEOUT_MS } from './kafka-options';
import { KafkaSockets } from './kafka-sockets';

type Broker = Awaited<ReturnType<Cluster['findBroker']>>;

/** Times that mean an end of the log in ListOffsets (Kafka protocol guide). */
const EARLIEST = -2;
const LATEST = -1;
/** Without transactions there is nothing to wait for, and a foreign open one must not delay us. */
const READ_UNCOMMITTED = 0;
/** OffsetCommit of a consumer that is not a member of its group. */
const NO_GENERATION = -1;

export interface KafkaRecord {
  readonly offset: bigint;
  /** Empty for a record without a value. */
  readonly value: Uint8Array;
  /** The header of this name. */
  readonly traceparent?: string;
}

/**
 * Reads one partition from a given offset, over connections of its own, without a consumer group: positions are kept
 * elsewhere. Lives for one connection: after any failure, open another one.
 */
export class PartitionReader {
  private readonly sockets = new KafkaSockets();
  private readonly cluster: Cluster;
  private leader: Broker | undefined;
  private coordinator: Broker | undefined;

  constructor(
    connection: KafkaConnection,
    private readonly topic: string,
    private readonly partition: number,
  ) {
    const { brokers, clientId, tls, sasl } = connection;
    this.cluster = new Cluster({
      logger: new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).logger(),
      socketFactory: this.sockets.factory,
      brokers: [...brokers],
      clientId,
      ...(tls === undefined ? {} : { ssl: tls }),
      ...(sasl === undefined ? {} : { sasl }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      authenticationTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      metadataMaxAge: 0,
      // Each of the brokers once.
      retry: { ...CONNECT_RETRY, retries: brokers.length },
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
    });
  }

  /**
   * Opens and returns the number of partitions, or null when the topic does not exist (yet).
   * @throws AuditStreamError
   */
  async open(): Promise<number | null> {
    return this.asking('be reached', async () => {
      await this.cluster.connect();
      try {
        await this.cluster.addMultipleTargetTopics([this.topic]);
      } catch (error) {
        if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
        throw error;
      }
      const partitions = this.cluster.findTopicPartitionMetadata(this.topic);
      const mine = partitions.find(({ partitionId }) => partitionId === this.partition);
      if (mine !== undefined) this.leader = await this.cluster.findBroker({ nodeId: mine.leader });
      return partitions.length;
    });
  }

  /** The offset of the oldest existing record, and the one that the next record will get. @throws AuditStreamError */
  async bounds(): Promise<{ first: bigint; end: bigint }> {
    return this.asking('say where the topic begins and ends', async () => ({
      first: await this.offsetAt(EARLIEST),
      end: await this.offsetAt(LATEST),
    }));
  }

  private async offsetAt(timestamp: number): Promise<bigint> {
    const { topic, partition } = this;
    const { responses } = await this.broker.listOffsets({
      isolationLevel: READ_UNCOMMITTED,
      topics: [{ topic, partitions: [{ partition, timestamp }] }],
    });
    return BigInt(responses[0]?.partitions[0]?.offset ?? '-1');
  }

  /**
   * Fetches records from an offset on: as many whole ones as fit into `maxBytes`, at least one; none when none came in
   * time.
   * @throws AuditStreamError with `details.type` `OFFSET_OUT_OF_RANGE` when the offset is not in the log
   */
  async fetch(offset: bigint, maxBytes: number, maxWaitMs: number): Promise<KafkaRecord[]> {
    const { topic, partition } = this;
    return this.asking('hand out records', async () => {
      const { responses } = await this.broker.fetch({
        isolationLevel: READ_UNCOMMITTED,
        maxWaitTime: maxWaitMs,
        minBytes: 1,
        maxBytes,
        topics: [{ topic, partitions: [{ partition, fetchOffset: offset.toString(), maxBytes }] }],
      });
      const records: KafkaRecord[] = [];
      for (const message of responses[0]?.partitions[0]?.messages ?? []) {
        const at = BigInt(message.offset);
        // A broker hands out whole batches: the first may begin before the offset.
        if (at < offset || message.isControlRecord === true) continue;
        const traceparent = message.headers?.['traceparent'];
        records.push({
          offset: at,
          value: message.value ?? new Uint8Array(),
          ...(traceparent !== undefined && { traceparent: String(traceparent) }),
        });
      }
      return records;
    });
  }

  /** Notes an offset for a group, for tools that show its lag. @throws AuditStreamError */
  async commit(groupId: string, offset: bigint): Promise<void> {
    const { topic, partition } = this;
    await this.asking('note the offset of a group', async () => {
      this.coordinator ??= await this.cluster.findGroupCoordinator({ groupId });
      try {
        await this.coordinator.offsetCommit({
          groupId,
          groupGenerationId: NO_GENERATION,
          memberId: '',
          topics: [{ topic, partitions: [{ partition, offset: offset.toString() }] }],
        });
      } catch (error) {
        this.coordinator = undefined;
        throw error;
      }
    });
  }

  /** Ends all requests at once. */
  close(): void {
    this.sockets.close();
    // Only its timers are left.
    this.cluster.disconnect().catch(() => undefined);
  }

  private get broker(): Broker {
    if (this.leader === undefined) throw new TypeError('PartitionReader: open() comes first');
    return this.leader;
  }

  private async asking<T>(what: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw kafkaUnavailable(what, error);
    }
  }
}
