import { GrowingPause } from '#platform/resilience';
import { type KafkaConnection } from './kafka-options';
import { kafkaErrorType } from './kafka-failure';
import { KafkaProbe } from './kafka-probe';
import { type KafkaRecord, PartitionReader } from './partition-reader';
import {
  type AuditStreamConsumer,
  type AuditStreamObserver,
  type StreamPosition,
  type StreamRecord,
} from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';
import { eventMark } from '../event-mark';

export interface KafkaConsumerOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /** Number of the topic's partitions. */
  readonly shards: number;
  /** Group under which offsets are noted, for tools that show its lag. Nothing is ever read from it. */
  readonly group: string;
  /** Most bytes of records that are handed over at once. Default {@link DEFAULT_BATCH_BYTES}. */
  readonly batchBytes?: number;
  readonly observer?: AuditStreamObserver;
}

/** Some 1,800 events of 560 bytes: large enough for full speed, small enough for one transaction. */
export const DEFAULT_BATCH_BYTES = 1024 * 1024;
/** How long a broker delays an empty answer; a silent connection is noticed after it. */
const LONG_POLL_MS = 500;
/** Fetch size for one record: a broker hands out at least one, whatever its size. */
const ONE_RECORD_BYTES = 1;
const COMMIT_INTERVAL_MS = 1_000;

/**
 * The workers' side over Kafka. Each subscription reads its partition from the caller's position, over connections of
 * its own; no consumer group assigns or revokes anything (docs/adr/0070).
 */
export class KafkaConsumer implements AuditStreamConsumer {
  private readonly probe: KafkaProbe;
  private readonly closing = new AbortController();
  private readonly subscriptions = new Set<Promise<void>>();

  constructor(private readonly options: KafkaConsumerOptions) {
    this.probe = new KafkaProbe(options.connection, options.topic);
  }

  async consume(
    shard: number,
    from: StreamPosition,
    handle: (records: readonly StreamRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const ending = AbortSignal.any([signal, this.closing.signal]);
    const subscription = new Subscription(this.options, shard, from, handle, ending).run();
    const settled = subscription.catch(() => undefined);
    this.subscriptions.add(settled);
    try {
      await subscription;
    } finally {
      this.subscriptions.delete(settled);
    }
  }

  check(): Promise<void> {
    return this.probe.check();
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.probe.close();
    this.options.connection.renewals?.close();
    await Promise.all(this.subscriptions);
  }
}

/** Carries a handler's failure past the places where the transport's own are caught. */
class HandlerFailure extends Error {
  constructor(readonly thrown: unknown) {
    super('the handler failed');
  }
}

class Subscription {
  private readonly pause = new GrowingPause();
  /** The highest `seq` that was handled. */
  private seq: number;
  /** Where reading continues; null when there is no such place, or it proved wrong. */
  private next: bigint | null;
  /** Tells whether the record right before `next` is the one that it should be. */
  private isBefore: (record: KafkaRecord) => boolean;
  private committed: bigint | null = null;
  private committing = false;
  private lastCommit = -Infinity;

  constructor(
    private readonly options: KafkaConsumerOptions,
    private readonly shard: number,
    from: StreamPosition,
    private readonly handle: (records: readonly StreamRecord[]) => Promise<void>,
    private readonly signal: AbortSignal,
  ) {
    this.seq = from.seq;
    this.next = cursorOffset(from.cursor);
    this.isBefore = ({ value }) => {
      const mark = eventMark(value);
      return mark !== null && mark.seq === from.seq && mark.hash === from.hash;
    };
  }

  async run(): Promise<void> {
    while (!this.signal.aborted) {
      try {
        await this.readUntilInterrupted();
      } catch (error) {
        if (error instanceof HandlerFailure) throw error.thrown;
        if (this.signal.aborted) return;
        if (!(error instanceof AuditStreamError) || error.code !== 'stream_unavailable') throw error;
        // The log no longer contains the place of reading: the place has to be found again; waiting does not help.
        if (kafkaErrorType(error.cause) !== 'OFFSET_OUT_OF_RANGE') {
          this.options.observer?.onInterrupted?.(this.shard, error);
        }
        await this.pause.wait(this.signal);
      }
    }
  }

  /** Reads for the life of one connection. */
  private async readUntilInterrupted(): Promise<void> {
    const { connection, topic, batchBytes = DEFAULT_BATCH_BYTES } = this.options;
    const reader = new PartitionReader(connection, topic, this.shard);
    const close = (): void => reader.close();
    this.signal.addEventListener('abort', close, { once: true });
    try {
      this.assertPartitions(await reader.open());
      let { offset, judged } = await this.start(reader);
      while (!this.signal.aborted) {
        const records = await reader.fetch(offset, batchBytes, LONG_POLL_MS);
        this.pause.reset();
        if (!judged && records[0] !== undefined) this.assertNothingLost(records[0]);
        judged ||= records.length > 0;
        // A broker hands out records that were written together as a whole.
        for (const part of inParts(records, batchBytes)) {
          if (this.signal.aborted) return;
          await this.handOver(part);
          const last = part.at(-1) as KafkaRecord;
          offset = last.offset + 1n;
          this.seq = highestSeq(this.seq, part);
          this.next = offset;
          this.isBefore = (record) => Buffer.compare(record.value, last.value) === 0;
        }
        this.commit(reader);
      }
    } finally {
      this.signal.removeEventListener('abort', close);
      reader.close();
    }
  }

  private assertPartitions(partitions: number | null): void {
    const { topic, shards } = this.options;
    if (partitions === null) {
      throw new AuditStreamError(
        'stream_unavailable',
        `There is no Kafka topic ${topic} yet; the outbox relay makes it.`,
      );
    }
    if (partitions !== shards) throw partitionsMismatch(topic, partitions, shards);
  }

  /**
   * Returns where to begin. The cursor counts only if the record before it is the last handled one: an offset says
   * nothing about a topic that was created again. Otherwise reading begins with the oldest existing record (the handler
   * skips what it already has), and the first record that comes has to be judged.
   */
  private async start(reader: PartitionReader): Promise<{ offset: bigint; judged: boolean }> {
    const { first, end } = await reader.bounds();
    const { next } = this;
    if (next !== null && next > first && next <= end) {
      const [before] = await reader.fetch(next - 1n, ONE_RECORD_BYTES, LONG_POLL_MS);
      if (before?.offset === next - 1n && this.isBefore(before)) return { offset: next, judged: true };
    }
    this.next = null;
    return { offset: first, judged: false };
  }

  private assertNothingLost(record: KafkaRecord): void {
    const mark = eventMark(record.value);
    if (mark === null || mark.seq <= this.seq + 1) return;
    const { topic } = this.options;
    throw new AuditStreamError(
      'records_lost',
      `Kafka's topic ${topic} begins with event ${mark.seq} of shard ${this.shard}, but event ${this.seq + 1} is what comes next: ` +
        'the ones between were deleted before they were read. Rebuild from the archive or the store.',
      { topic, shard: this.shard, position: this.seq, first: mark.seq, offset: record.offset.toString() },
    );
  }

  private async handOver(records: readonly KafkaRecord[]): Promise<void> {
    const batch = records.map(({ offset, value, traceparent }) => ({
      bytes: value,
      nextCursor: (offset + 1n).toString(),
      traceparent,
    }));
    try {
      await this.handle(batch);
    } catch (error) {
      throw new HandlerFailure(error);
    }
  }

  /** Commits once a second at most, and reading does not wait for it. */
  private commit(reader: PartitionReader): void {
    const { next } = this;
    if (next === null || next === this.committed || this.committing) return;
    if (performance.now() - this.lastCommit < COMMIT_INTERVAL_MS) return;
    this.committing = true;
    this.lastCommit = performance.now();
    reader
      .commit(this.options.group, next)
      .then(() => {
        this.committed = next;
      })
      .catch((error: unknown) => {
        if (!this.signal.aborted) {
          this.options.observer?.onOffsetNotNoted?.(this.shard, error as AuditStreamError);
        }
      })
      .finally(() => {
        this.committing = false;
      });
  }
}

export function partitionsMismatch(topic: string, partitions: number, shards: number): AuditStreamError {
  return new AuditStreamError(
    'partitions_mismatch',
    `Kafka's topic ${topic} has ${partitions} partition(s), but the kernel has ${shards} shard(s), and each needs exactly one; ` +
      'use another topic, or delete this one if nothing else is in it.',
    { topic, partitions, shards },
  );
}

/** Returns an offset of this transport; null for anything else (a position may come from the other transport). */
function cursorOffset(cursor: string | null): bigint | null {
  return cursor !== null && /^\d{1,19}$/.test(cursor) ? BigInt(cursor) : null;
}

function* inParts(records: readonly KafkaRecord[], mostBytes: number): Generator<KafkaRecord[]> {
  let part: KafkaRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (part.length > 0 && bytes + record.value.byteLength > mostBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += record.value.byteLength;
  }
  if (part.length > 0) yield part;
}

/** Records are mostly a run of new events; with repetitions among them the last one need not be the highest. */
function highestSeq(known: number, records: readonly KafkaRecord[]): number {
  const seqOf = (record: KafkaRecord | undefined): number =>
    record === undefined ? 0 : (eventMark(record.value)?.seq ?? 0);
  const last = seqOf(records.at(-1));
  return last === known + records.length ? last : Math.max(known, ...records.map(seqOf));
}
