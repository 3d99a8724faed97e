import { type Admin, CompressionTypes, Kafka, logLevel, type Message, type Producer } from 'kafkajs';
import { stopAfter } from '#platform/resilience';
import { kafkaUnavailable } from './kafka-failure';
import { CONNECT_RETRY, CONNECT_TIMEOUT_MS, type KafkaConnection, REQUEST_TIMEOUT_MS } from './kafka-options';
import { KafkaProbe } from './kafka-probe';
import { KafkaSockets } from './kafka-sockets';
import { type KafkaTopicOptions, prepareTopic } from './kafka-topic';
import { type AuditStreamPublisher, type PublishedEvent } from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';

export interface KafkaPublisherOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly shards: number;
  readonly topicOptions?: KafkaTopicOptions;
  /** Most records of one producer. Default {@link RECORDS_PER_PRODUCER}. */
  readonly recordsPerProducer?: number;
  /** Longest duration of a publish, including kafkajs's own attempts. Default {@link PUBLISH_TIMEOUT_MS}. */
  readonly publishTimeoutMs?: number;
}

/** Size of one request: half of a topic's maximum, which leaves room for what Kafka adds. */
const REQUEST_BYTES = 512 * 1024;
/** The caller then decides whether to continue. */
const PUBLISH_TIMEOUT_MS = 20_000;
/** The remaining attempts send the same records again under the same numbers, which the broker knows. */
const SEND_RETRIES = 3;
/**
 * Sequence numbers are 31 bits, and kafkajs does not wrap them the way brokers do: a new producer begins long before.
 */
const RECORDS_PER_PRODUCER = 1_000_000_000;

interface ShardProducer {
  readonly producer: Producer;
  readonly sockets: KafkaSockets;
  sent: number;
}

/**
 * The relay's side over Kafka: an idempotent producer per shard, acks=all, one request at a time, the partition named
 * with every record.
 *
 * A producer that failed once is discarded. The records that it sent may be in the log anyway, and kafkajs gives the
 * next records the numbers of the failed ones: a broker that has those would treat new records as repetitions and drop
 * them.
 */
export class KafkaPublisher implements AuditStreamPublisher {
  private readonly probe: KafkaProbe;
  private readonly producers = new Map<number, ShardProducer>();
  private closed = false;

  constructor(private readonly options: KafkaPublisherOptions) {
    this.probe = new KafkaProbe(options.connection, options.topic);
  }

  async prepare(): Promise<void> {
    const { topic, shards, topicOptions = {} } = this.options;
    const sockets = new KafkaSockets();
    const admin: Admin = this.client(sockets).admin();
    try {
      await stopAfter(PUBLISH_TIMEOUT_MS, noAnswer, async () => {
        await admin.connect();
        await prepareTopic(admin, topic, shards, topicOptions);
      });
    } catch (error) {
      throw kafkaUnavailable(`prepare the topic ${topic}`, error);
    } finally {
      sockets.close();
      admin.disconnect().catch(() => undefined);
    }
  }

  async publish(shard: number, events: readonly PublishedEvent[]): Promise<void> {
    if (this.closed) throw new AuditStreamError('stream_unavailable', 'The publisher was closed.');
    const {
      topic,
      recordsPerProducer = RECORDS_PER_PRODUCER,
      publishTimeoutMs = PUBLISH_TIMEOUT_MS,
    } = this.options;
    if ((this.producers.get(shard)?.sent ?? 0) >= recordsPerProducer) this.discard(shard);
    const key = Buffer.from(String(shard));
    try {
      await stopAfter(publishTimeoutMs, noAnswer, async () => {
        const current = this.producers.get(shard) ?? (await this.open(shard));
        for (const messages of requestsOf(events, key, shard)) {
          await current.producer.send({
            topic,
            messages,
            acks: -1,
            timeout: REQUEST_TIMEOUT_MS,
            compression: CompressionTypes.None,
          });
          current.sent += messages.length;
        }
      });
    } catch (error) {
      this.discard(shard);
      throw kafkaUnavailable(`take records of shard ${shard}`, error);
    }
  }

  check(): Promise<void> {
    return this.probe.check();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.probe.close();
    this.options.connection.renewals?.close();
    for (const shard of [...this.producers.keys()]) this.discard(shard);
  }

  private async open(shard: number): Promise<ShardProducer> {
    const sockets = new KafkaSockets();
    const producer = this.client(sockets).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitionOf,
      retry: { ...CONNECT_RETRY, retries: SEND_RETRIES },
    });
    const opened = { producer, sockets, sent: 0 };
    // Registered before it is connected, so that it can be abandoned.
    this.producers.set(shard, opened);
    await producer.connect();
    return opened;
  }

  private discard(shard: number): void {
    const current = this.producers.get(shard);
    if (current === undefined) return;
    this.producers.delete(shard);
    current.sockets.close();
    current.producer.disconnect().catch(() => undefined);
  }

  private client(sockets: KafkaSockets): Kafka {
    const { brokers, clientId, tls, sasl } = this.options.connection;
    return new Kafka({
      brokers: [...brokers],
      clientId,
      ...(tls === undefined ? {} : { ssl: tls }),
      ...(sasl === undefined ? {} : { sasl }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      authenticationTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { ...CONNECT_RETRY, retries: brokers.length },
      socketFactory: sockets.factory,
      // Failures are thrown, and logged by the code that catches them.
      logLevel: logLevel.NOTHING,
    });
  }
}

function partitionOf({ message }: { message: Message }): number {
  return message.partition as number;
}

/** As many records in one request as fit, at least one. */
function* requestsOf(
  events: readonly PublishedEvent[],
  key: Buffer,
  partition: number,
): Generator<Message[]> {
  let messages: Message[] = [];
  let size = 0;
  for (const { bytes, traceparent } of events) {
    if (size + bytes.byteLength > REQUEST_BYTES && messages.length > 0) {
      yield messages;
      messages = [];
      size = 0;
    }
    messages.push({
      key,
      partition,
      value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      ...(traceparent !== undefined && { headers: { traceparent } }),
    });
    size += bytes.byteLength;
  }
  if (messages.length > 0) yield messages;
}

function noAnswer(ms: number): Error {
  return new Error(`it did not answer within ${ms} ms`);
}
