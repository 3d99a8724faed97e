import { ArchiveError } from '#platform/archive';
import { IntegrityFault } from '#platform/audit-stream';
import { LogError, type PublisherObserver } from '#platform/log';
import { Counter, Gauge, Histogram, type Registry } from '#platform/process';

/** Around the promise: 1.5 s from an event's time to its published checkpoint. */
const PUBLISHED_BUCKETS_S = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 30, 60, 300];
const WITNESS_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of the log publisher besides those that every stage of the pipeline has. */
export class LogPublisherMetrics {
  private readonly published: Histogram<never>;
  private readonly size: Gauge<'shard'>;
  private readonly checkpoints: Counter<'shard'>;
  private readonly objects: Counter<'shard'>;
  private readonly failures: Counter<'shard' | 'kind'>;
  private readonly leader: Gauge<'shard'>;
  private readonly cosignatures: Counter<'witness'>;
  private readonly cosigningFailures: Counter<'witness'>;
  private readonly cosigning: Histogram<'witness'>;
  /** Time of the newest checkpoint by this process, by shard, while it leads. */
  private readonly publishedAt = new Map<number, number>();

  constructor(
    registry: Registry,
    private readonly now: () => number = Date.now,
  ) {
    const registers = [registry];
    this.published = new Histogram({
      name: 'log_publisher_commit_to_published_seconds',
      help: "From an event's ts to the published checkpoint that includes it.",
      buckets: PUBLISHED_BUCKETS_S,
      registers,
    });
    this.size = new Gauge({
      name: 'log_publisher_published_size',
      help: 'Events in the tree of the newest checkpoint that this process published.',
      labelNames: ['shard'],
      registers,
    });
    this.checkpoints = new Counter({
      name: 'log_publisher_checkpoints_total',
      help: 'Checkpoints published.',
      labelNames: ['shard'],
      registers,
    });
    this.objects = new Counter({
      name: 'log_publisher_objects_total',
      help: 'Tiles and entry bundles written.',
      labelNames: ['shard'],
      registers,
    });
    this.failures = new Counter({
      name: 'log_publisher_failures_total',
      help: 'Checkpoints that could not be published, by the reason; each is tried again.',
      labelNames: ['shard', 'kind'],
      registers,
    });
    this.leader = new Gauge({
      name: 'log_publisher_leader',
      help: 'Whether this process publishes the shard.',
      labelNames: ['shard'],
      registers,
    });
    this.cosignatures = new Counter({
      name: 'log_publisher_cosignatures_total',
      help: 'Cosignatures given, by witness.',
      labelNames: ['witness'],
      registers,
    });
    this.cosigningFailures = new Counter({
      name: 'log_publisher_cosigning_failures_total',
      help: 'Checkpoints that a witness did not cosign.',
      labelNames: ['witness'],
      registers,
    });
    this.cosigning = new Histogram({
      name: 'log_publisher_cosigning_seconds',
      help: 'Time of a witness for a cosignature.',
      labelNames: ['witness'],
      buckets: WITNESS_BUCKETS_S,
      registers,
    });
    const { publishedAt } = this;
    new Gauge({
      name: 'log_publisher_checkpoint_age_seconds',
      help: 'Age of the newest checkpoint of the shards that this process publishes.',
      labelNames: ['shard'],
      registers,
      collect() {
        this.reset();
        for (const [shard, at] of publishedAt) {
          this.set({ shard: String(shard) }, Math.max(0, now() - at) / 1_000);
        }
      },
    });
  }

  /** Until it publishes, the age counts from its election. */
  onElected(shard: number): void {
    this.leader.set({ shard: String(shard) }, 1);
    this.publishedAt.set(shard, this.now());
  }

  onEnded(shard: number): void {
    this.leader.set({ shard: String(shard) }, 0);
    this.publishedAt.delete(shard);
  }

  /** @param times of the events that were not published before, or of a part of them */
  onPublished(shard: number, size: number, times: readonly number[]): void {
    const now = this.now();
    this.checkpoints.inc({ shard: String(shard) });
    this.size.set({ shard: String(shard) }, size);
    this.publishedAt.set(shard, now);
    for (const at of times) this.published.observe(Math.max(0, now - at) / 1_000);
  }

  onFailure(shard: number, error: unknown): void {
    this.failures.inc({ shard: String(shard), kind: kindOf(error) });
  }

  /** What the publishing of one shard reports. */
  observer(shard: number): PublisherObserver {
    return {
      onObjects: (count) => this.objects.inc({ shard: String(shard) }, count),
      onCosigned: (witness, ms) => {
        this.cosignatures.inc({ witness });
        this.cosigning.observe({ witness }, ms / 1_000);
      },
      onFailed: (witness) => this.cosigningFailures.inc({ witness }),
    };
  }
}

/** A stable word for a label. */
function kindOf(error: unknown): string {
  if (error instanceof LogError || error instanceof ArchiveError) return error.code;
  if (error instanceof IntegrityFault) return error.kind;
  return 'other';
}
