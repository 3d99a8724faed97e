import { Injectable } from '@nestjs/common';
import {
  type BatchReport,
  type Behind,
  BehindListener,
  type EventStoreErrorCode,
  type EventStoreObserver,
  type PartitionRoom,
  type RetryReason,
  type RowFault,
} from '#platform/event-store';
import { Counter, Gauge, Histogram, observeTraced, Registry, tracedHistogram } from '#platform/process';
import { IntegrityAlarm } from './integrity-alarm';
import { PartitionWatch } from './partition-watch';

/** 0.5 ms to 5 s, closest together near the promises (40 ms for a signature, 500 ms for an append). */
const LATENCY_BUCKETS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5,
];
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000];

/** Prometheus metrics of the append path. */
@Injectable()
export class AppendMetrics implements EventStoreObserver {
  private readonly append: Histogram;
  private readonly headHash: Histogram;
  private readonly sign: Histogram;
  private readonly commit: Histogram;
  private readonly batchSize: Histogram;
  private readonly events: Counter<'shard'>;
  private readonly queueDepth: Gauge<'shard'>;
  private readonly refusals: Counter<'code'>;
  private readonly retries: Counter<'reason'>;
  private readonly clockAhead: Gauge;

  constructor(
    registry: Registry,
    private readonly behind: BehindListener,
    private readonly alarm: IntegrityAlarm,
    private readonly partitions: PartitionWatch,
  ) {
    const registers = [registry];
    const latency = (name: string, help: string) =>
      tracedHistogram({ name, help, buckets: LATENCY_BUCKETS_S }, registry);
    this.append = latency('audit_append_duration_seconds', 'From a write entering the queue to its commit.');
    this.headHash = latency(
      'audit_head_hash_duration_seconds',
      "Numbering and hashing one group's events onto the head.",
    );
    this.sign = latency(
      'audit_sign_duration_seconds',
      "Signing one group's events through the signing proxy.",
    );
    this.commit = latency(
      'audit_commit_duration_seconds',
      'The statement that inserts a group and moves the head.',
    );
    this.batchSize = new Histogram({
      name: 'audit_batch_events',
      help: 'Events committed in one group.',
      buckets: BATCH_BUCKETS,
      registers,
    });
    this.events = new Counter({
      name: 'audit_events_total',
      help: 'Events committed by this process.',
      labelNames: ['shard'],
      registers,
    });
    this.queueDepth = new Gauge({
      name: 'audit_queue_depth',
      help: 'Writes that wait for a group.',
      labelNames: ['shard'],
      registers,
    });
    this.refusals = new Counter({
      name: 'audit_append_refusals_total',
      help: 'Writes refused by the event store.',
      labelNames: ['code'],
      registers,
    });
    this.retries = new Counter({
      name: 'audit_group_retries_total',
      help: 'Groups numbered again, mostly because another replica moved the head first.',
      labelNames: ['reason'],
      registers,
    });
    this.clockAhead = new Gauge({
      name: 'audit_clock_ahead_seconds',
      help: "How far this process's clock is ahead of the database server's; beyond KERNEL_MAX_CLOCK_JUMP_SECONDS nothing is written.",
      registers,
    });
  }

  onClock(aheadMs: number): void {
    this.clockAhead.set(aheadMs / 1_000);
  }

  onPartitions(rooms: readonly PartitionRoom[], failure: Error | null): void {
    this.partitions.note(rooms, failure);
  }

  onBatch(report: BatchReport): void {
    const shard = String(report.shard);
    observeTraced(this.headHash, {}, report.hashMs / 1_000, report.traceId);
    observeTraced(this.sign, {}, report.signMs / 1_000, report.traceId);
    observeTraced(this.commit, {}, report.commitMs / 1_000, report.traceId);
    this.batchSize.observe(report.events);
    this.events.inc({ shard }, report.events);
    this.queueDepth.set({ shard }, report.queueDepth);
  }

  onAppend(ms: number, traceId: string | undefined): void {
    observeTraced(this.append, {}, ms / 1_000, traceId);
  }

  onRefusal(code: EventStoreErrorCode): void {
    this.refusals.inc({ code });
  }

  onRetry(reason: RetryReason): void {
    this.retries.inc({ reason });
  }

  onBehind(behind: Behind): void {
    this.behind.notice(behind);
  }

  onIntegrity(fault: RowFault): void {
    this.alarm.raise(fault);
  }
}
