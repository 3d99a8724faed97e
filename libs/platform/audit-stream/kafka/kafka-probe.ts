import { type KafkaConnection } from './kafka-options';
import { PartitionReader } from './partition-reader';
import { AuditStreamError } from '../audit-stream.error';

/** A probe runs every few seconds and has to answer before the next one. */
const CHECK_TIMEOUT_MS = 3_000;

/** Asks whether a topic can be read, over one connection that stays open while all is well. */
export class KafkaProbe {
  private reader: PartitionReader | undefined;
  private asking: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly connection: KafkaConnection,
    private readonly topic: string,
  ) {}

  /** @throws AuditStreamError `stream_unavailable` */
  check(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async ask(): Promise<void> {
    if (this.closed) throw new AuditStreamError('stream_unavailable', 'The connection to Kafka was closed.');
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.drop();
    }, CHECK_TIMEOUT_MS);
    try {
      if (this.reader === undefined) {
        this.reader = new PartitionReader(this.connection, this.topic, 0);
        if ((await this.reader.open()) === null) {
          throw new AuditStreamError('stream_unavailable', `There is no Kafka topic ${this.topic} yet.`);
        }
      }
      await this.reader.bounds();
    } catch (error) {
      this.drop();
      throw late
        ? new AuditStreamError('stream_unavailable', `Kafka did not answer within ${CHECK_TIMEOUT_MS} ms.`)
        : error;
    } finally {
      clearTimeout(timer);
    }
  }

  private drop(): void {
    this.reader?.close();
    this.reader = undefined;
  }

  close(): void {
    this.closed = true;
    this.drop();
  }
}
