import {
  ArchiveError,
  type ArchiveObserver,
  type FinishedOperation,
  type PutOutcome,
} from '#platform/archive';
import { Counter, Gauge, Histogram, type Registry } from '#platform/process';
import { SignerError } from '#platform/signer';

/** From one millisecond for a folder to an S3 server that is about to time out. */
const OPERATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of the archiver besides those that every stage of the pipeline has. */
export class ArchiverMetrics implements ArchiveObserver {
  private readonly operations: Histogram<'operation' | 'outcome'>;
  private readonly uploads: Counter<'outcome'>;
  private readonly failures: Counter<'kind'>;
  private readonly manifests: Counter<'shard'>;
  private readonly manifestFailures: Counter<'kind'>;
  private readonly lastDay: Gauge<'shard'>;
  private readonly holds: Counter<never>;
  private readonly holdFailures: Counter<'kind'>;
  /** Time at which the oldest day without a manifest was over, by shard. */
  private readonly overdueSince = new Map<number, number>();

  constructor(registry: Registry, now: () => number = Date.now) {
    const registers = [registry];
    this.operations = new Histogram({
      name: 'archive_operation_duration_seconds',
      help: 'Operations of the archive, without the time that they waited for their turn.',
      labelNames: ['operation', 'outcome'],
      buckets: OPERATION_BUCKETS_S,
      registers,
    });
    this.uploads = new Counter({
      name: 'archiver_uploads_total',
      help: 'Events that are durable in the archive: stored now, or there already.',
      labelNames: ['outcome'],
      registers,
    });
    this.failures = new Counter({
      name: 'archiver_upload_failures_total',
      help: 'Events that could not be stored, by the reason; each is tried again.',
      labelNames: ['kind'],
      registers,
    });
    this.manifests = new Counter({
      name: 'archiver_day_manifests_total',
      help: 'Manifests of days written by this process.',
      labelNames: ['shard'],
      registers,
    });
    this.manifestFailures = new Counter({
      name: 'archiver_day_manifest_failures_total',
      help: 'Manifests of days that could not be written, by the reason; each is tried again.',
      labelNames: ['kind'],
      registers,
    });
    this.lastDay = new Gauge({
      name: 'archiver_last_manifest_day_timestamp_seconds',
      help: 'The last day that has a manifest, as its first second.',
      labelNames: ['shard'],
      registers,
    });
    const { overdueSince } = this;
    new Gauge({
      name: 'archiver_day_manifest_age_seconds',
      help: 'For how long the oldest day without a manifest has been over; 0 when none waits.',
      labelNames: ['shard'],
      registers,
      collect() {
        for (const [shard, since] of overdueSince) {
          this.set({ shard: String(shard) }, since === 0 ? 0 : Math.max(0, now() - since) / 1_000);
        }
      },
    });
    this.holds = new Counter({
      name: 'archiver_legal_holds_applied_total',
      help: 'Objects on which a legal hold was set or lifted.',
      registers,
    });
    this.holdFailures = new Counter({
      name: 'archiver_legal_hold_failures_total',
      help: 'Legal holds that could not be applied, by the reason; each is tried again.',
      labelNames: ['kind'],
      registers,
    });
  }

  onOperation({ operation, outcome, ms }: FinishedOperation): void {
    this.operations.observe({ operation, outcome }, ms / 1_000);
  }

  onStored(outcome: PutOutcome): void {
    this.uploads.inc({ outcome });
  }

  onFailure(error: unknown): void {
    this.failures.inc({ kind: kindOf(error) });
  }

  onManifest(shard: number): void {
    this.manifests.inc({ shard: String(shard) });
  }

  onManifestFailure(error: unknown): void {
    this.manifestFailures.inc({ kind: kindOf(error) });
  }

  /** @param overdueSince when the oldest day without a manifest was over, null when none waits */
  manifestsAsOf(shard: number, lastDay: string | null, overdueSince: number | null): void {
    if (lastDay !== null) this.lastDay.set({ shard: String(shard) }, Date.parse(lastDay) / 1_000);
    this.overdueSince.set(shard, overdueSince ?? 0);
  }

  onHoldsApplied(objects: number): void {
    this.holds.inc(objects);
  }

  onHoldFailure(error: unknown): void {
    this.holdFailures.inc({ kind: kindOf(error) });
  }
}

/** A stable word for a label. */
function kindOf(error: unknown): string {
  if (error instanceof ArchiveError || error instanceof SignerError) return error.code;
  if (error instanceof Error && /Fault$/.test(error.name)) return 'contradiction';
  return 'other';
}
