import { Counter, Gauge, Histogram, type Registry } from '#platform/process';
import { type SqlSource } from '../positions/stream-positions';
import { type IntegrityFault } from '../shard-handler';

export interface ShardLag {
  readonly shard: number;
  /** Number of events committed, and not yet here. */
  readonly events: number;
  /** Age of the oldest of them; 0 when there are none. */
  readonly seconds: number;
}

/** Buckets around the promises: an event is in the index after 500 ms, in the archive after 2 s. */
const END_TO_END_BUCKETS_S = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300,
];

export interface PipelineMetricsOptions {
  /** `relay`, or the name of a follower. */
  readonly stage: string;
  readonly registry: Registry;
  /** Called at each scrape; when it fails, there are no lag values rather than old ones. */
  readonly lag: () => Promise<readonly ShardLag[]>;
  readonly now?: () => number;
}

/** Prometheus metrics of a pipeline stage (docs/pipeline.md, metrics). */
export class PipelineMetrics {
  private readonly endToEnd: Histogram<'stage'>;
  private readonly integrityFailures: Counter<'shard' | 'kind'>;
  private readonly repeats: Counter<'stage' | 'shard'>;
  private readonly stage: string;
  private readonly now: () => number;

  constructor({ stage, registry, lag, now = Date.now }: PipelineMetricsOptions) {
    this.stage = stage;
    this.now = now;
    const registers = [registry];
    let measuring: Promise<readonly ShardLag[]> | undefined;
    // Both gauges of a scrape ask at the same time.
    const measure = (): Promise<readonly ShardLag[]> =>
      (measuring ??= lag()
        .catch(() => [])
        .finally(() => (measuring = undefined)));
    const gauge = (name: string, help: string, value: (lag: ShardLag) => number): void => {
      new Gauge({
        name,
        help,
        labelNames: ['stage', 'shard'],
        registers,
        async collect() {
          const shards = await measure();
          this.reset();
          for (const shard of shards) this.set({ stage, shard: String(shard.shard) }, value(shard));
        },
      });
    };
    gauge('kernel_pipeline_lag_events', 'Committed events that this stage has not handled.', (l) => l.events);
    gauge(
      'kernel_pipeline_lag_seconds',
      'Age of the oldest committed event that this stage has not handled.',
      (l) => l.seconds,
    );
    this.endToEnd = new Histogram({
      name: 'kernel_pipeline_end_to_end_seconds',
      help: "From an event's ts to the effect of this stage.",
      labelNames: ['stage'],
      buckets: END_TO_END_BUCKETS_S,
      registers,
    });
    this.integrityFailures = new Counter({
      name: 'audit_integrity_failures_total',
      help: 'What contradicted the chain; each stops its shard.',
      labelNames: ['shard', 'kind'],
      registers,
    });
    this.repeats = new Counter({
      name: 'kernel_pipeline_repeats_total',
      help: 'Records that were handled before, and were skipped.',
      labelNames: ['stage', 'shard'],
      registers,
    });
  }

  /** @param ts timestamps of the events, unchanged */
  onApplied(ts: Iterable<string>): void {
    const now = this.now();
    for (const at of ts) {
      this.endToEnd.observe({ stage: this.stage }, Math.max(0, now - Date.parse(at)) / 1_000);
    }
  }

  onIntegrityFault({ shard, kind }: Pick<IntegrityFault, 'shard' | 'kind'>): void {
    this.integrityFailures.inc({ shard: String(shard), kind });
  }

  onRepeats(shard: number, count: number): void {
    this.repeats.inc({ stage: this.stage, shard: String(shard) }, count);
  }
}

/** Lag of a consumer behind the committed events, by its stored position. */
export async function consumerLag(sql: SqlSource, consumer: string): Promise<ShardLag[]> {
  const rows = (await sql.query(
    `SELECT h.shard, greatest(h.seq - coalesce(p.seq, 0), 0) AS events,
            coalesce(greatest(extract(epoch FROM clock_timestamp() - e.ts), 0), 0)::float8 AS seconds
     FROM kernel.shard_head h
     LEFT JOIN kernel.stream_positions p ON p.consumer = $1 AND p.shard = h.shard
     LEFT JOIN kernel.events e ON e.shard = h.shard AND e.seq = coalesce(p.seq, 0) + 1
     ORDER BY h.shard`,
    [consumer],
  )) as { shard: number; events: string; seconds: number }[];
  return rows.map(({ shard, events, seconds }) => ({ shard, events: Number(events), seconds }));
}
