import { type StoredEvent } from '#platform/event-store';
import { type Database, type Term } from '#platform/postgres';
import { Counter, Gauge, Histogram, type Registry } from '#platform/process';
import { type RelayFault } from './relay-fault';
import { type RelayObserver } from './shard-relay';

/** From an event's own time to its being in the stream: 1 ms to 10 min, closest together around the goal. */
const END_TO_END_BUCKETS_S = [
  0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 120, 300, 600,
];

/**
 * Head and cursor as the database has them, so that every relay reports the lag, even of a shard without a leader. The
 * first event that waits says for how long.
 */
const LAG = {
  name: 'relay_lag',
  text: `SELECT h.shard, h.seq - coalesce(c.seq, 0) AS events,
      coalesce(extract(epoch FROM clock_timestamp() - e.ts), 0) AS seconds
    FROM kernel.shard_head h
    LEFT JOIN kernel.relay_cursors c ON c.shard = h.shard
    LEFT JOIN kernel.events e ON e.shard = h.shard AND e.seq = coalesce(c.seq, 0) + 1`,
};

interface LagRow {
  shard: number;
  events: string;
  seconds: string;
}

/** One query for both gauges of a scrape. */
class LagReading {
  private reading: Promise<LagRow[]> | undefined;

  constructor(private readonly database: Database) {}

  /** Empty without the database: no lag is known then, and /ready says that the database is unavailable. */
  read(): Promise<LagRow[]> {
    this.reading ??= this.database
      .step<LagRow & object>(LAG, [])
      .catch(() => [])
      .finally(() => (this.reading = undefined));
    return this.reading;
  }
}

/** Metrics of the relay. */
export class RelayMetrics implements RelayObserver {
  private readonly published: Counter<'shard'>;
  private readonly retries: Counter<'shard' | 'step'>;
  private readonly leads: Gauge<'shard'>;
  private readonly epoch: Gauge<'shard'>;
  private readonly faults: Counter<'shard' | 'kind'>;
  private readonly endToEnd: Histogram<'stage'>;

  constructor(registry: Registry, database: Database, shards: number) {
    const registers = [registry];
    const lag = new LagReading(database);
    for (const [name, help, member] of [
      ['kernel_pipeline_lag_events', 'Events of the store that are not in the stream yet.', 'events'],
      [
        'kernel_pipeline_lag_seconds',
        'Age of the oldest event that is not in the stream yet; 0 when all are.',
        'seconds',
      ],
    ] as const) {
      new Gauge({
        name,
        help,
        labelNames: ['stage', 'shard'],
        registers,
        async collect() {
          this.reset();
          for (const row of await lag.read()) {
            this.set({ stage: 'relay', shard: row.shard }, Math.max(0, Number(row[member])));
          }
        },
      });
    }
    this.published = new Counter({
      name: 'kernel_relay_published_events_total',
      help: 'Events published by this process, repetitions after a failure not counted.',
      labelNames: ['shard'],
      registers,
    });
    this.retries = new Counter({
      name: 'kernel_relay_retries_total',
      help: 'Failed attempts to publish, to move the cursor or to read, each followed by another.',
      labelNames: ['shard', 'step'],
      registers,
    });
    this.leads = new Gauge({
      name: 'kernel_relay_leader',
      help: 'Whether this process publishes the shard (1) or stands by (0).',
      labelNames: ['shard'],
      registers,
    });
    this.epoch = new Gauge({
      name: 'kernel_relay_epoch',
      help: 'Epoch of the last term that this process led; grows with every election in any process.',
      labelNames: ['shard'],
      registers,
    });
    this.faults = new Counter({
      name: 'audit_integrity_failures_total',
      help: 'Contradictions between what is stored and what was published. Each stops its shard.',
      labelNames: ['shard', 'kind'],
      registers,
    });
    this.endToEnd = new Histogram({
      name: 'kernel_pipeline_end_to_end_seconds',
      help: "From an event's time to its being in the stream.",
      labelNames: ['stage'],
      buckets: END_TO_END_BUCKETS_S,
      registers,
    });
    for (let shard = 0; shard < shards; shard++) {
      this.published.inc({ shard }, 0);
      this.leads.set({ shard }, 0);
    }
  }

  onPublished(shard: number, events: readonly StoredEvent[]): void {
    this.published.inc({ shard }, events.length);
    const now = Date.now();
    for (const { event } of events) {
      // Both clocks are the kernels' hosts': a little before zero is zero.
      this.endToEnd.observe({ stage: 'relay' }, Math.max(0, now - Date.parse(event.ts)) / 1_000);
    }
  }

  onRetry(shard: number, step: 'publish' | 'cursor' | 'read'): void {
    this.retries.inc({ shard, step });
  }

  onElected(shard: number, { epoch }: Term): void {
    this.leads.set({ shard }, 1);
    this.epoch.set({ shard }, epoch);
  }

  onEnded(shard: number): void {
    this.leads.set({ shard }, 0);
  }

  onFault({ shard, kind }: RelayFault): void {
    this.faults.inc({ shard, kind });
  }
}
