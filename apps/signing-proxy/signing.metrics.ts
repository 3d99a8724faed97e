import { Injectable, type Provider } from '@nestjs/common';
import {
  Counter,
  Gauge,
  Histogram,
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
  makeTracedHistogramProvider,
  observeTraced,
} from '#platform/process';
import { type SigningPurpose, type SignOutcome } from '#platform/signer';

const SIGNATURES = 'signing_proxy_signatures_total';
const REFUSALS = 'signing_proxy_refusals_total';
const PERMITTED = 'signing_proxy_permitted_total';
const REFUSED = 'signing_proxy_refused_total';
const MARK = 'signing_proxy_high_water_mark';
const HIGHEST = 'signing_proxy_highest_signed';
const CHECKPOINT_SIZE = 'signing_proxy_checkpoint_size';
const DURATION = 'signing_proxy_sign_duration_seconds';
const BACKEND_DURATION = 'signing_proxy_backend_duration_seconds';
const CIRCUIT = 'signing_proxy_backend_circuit_open';
const BATCH_SIZE = 'signing_proxy_batch_size';
const IN_PROGRESS = 'signing_proxy_inputs_in_progress';

/** From half a millisecond, since a batch in software takes one, to the caller's deadline and beyond. */
const DURATION_BUCKETS_S = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5,
];
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

@Injectable()
export class SigningMetrics {
  constructor(
    @InjectMetric(SIGNATURES) private readonly signatures: Counter<'kid' | 'purpose'>,
    @InjectMetric(REFUSALS) private readonly refusals: Counter<'reason'>,
    @InjectMetric(PERMITTED) private readonly permits: Counter<'client'>,
    @InjectMetric(REFUSED) private readonly refusedOf: Counter<'client'>,
    @InjectMetric(MARK) private readonly marks: Gauge<'shard'>,
    @InjectMetric(HIGHEST) private readonly highest: Gauge<'shard'>,
    @InjectMetric(CHECKPOINT_SIZE) private readonly checkpointSize: Gauge<'shard'>,
    @InjectMetric(DURATION) private readonly duration: Histogram<'kid'>,
    @InjectMetric(BACKEND_DURATION) private readonly backendDuration: Histogram<'backend' | 'outcome'>,
    @InjectMetric(CIRCUIT) private readonly circuitOpen: Gauge<'backend'>,
    @InjectMetric(BATCH_SIZE) private readonly batchSize: Histogram,
    @InjectMetric(IN_PROGRESS) private readonly progress: Gauge,
  ) {}

  signed(items: readonly { kid: string; purpose: SigningPurpose }[], client: string): void {
    this.permits.inc({ client });
    const counts = new Map<string, { kid: string; purpose: string; count: number }>();
    for (const { kid, purpose } of items) {
      const name = `${purpose} ${kid}`;
      const entry = counts.get(name);
      if (entry) entry.count++;
      else counts.set(name, { kid, purpose, count: 1 });
    }
    for (const { kid, purpose, count } of counts.values()) this.signatures.inc({ kid, purpose }, count);
    this.batchSize.observe(items.length);
  }

  /** @param client one that the configuration names; all others share a label */
  refused(reason: string, client = 'other'): void {
    this.refusals.inc({ reason });
    this.refusedOf.inc({ client });
  }

  marked(shard: number, { seq, signed }: { seq: number; signed: number }): void {
    this.marks.set({ shard: String(shard) }, seq);
    this.highest.set({ shard: String(shard) }, signed);
  }

  checkpointed(shard: number, size: number): void {
    this.checkpointSize.set({ shard: String(shard) }, size);
  }

  /** @param traceId of the trace that this process records of it */
  keyAnswered(kid: string, seconds: number, traceId: string | undefined): void {
    observeTraced(this.duration, { kid }, seconds, traceId);
  }

  backendAnswered({ backend, outcome, ms }: { backend: string; outcome: SignOutcome; ms: number }): void {
    this.backendDuration.observe({ backend, outcome }, ms / 1_000);
  }

  circuit(backend: string, open: boolean): void {
    this.circuitOpen.set({ backend }, open ? 1 : 0);
  }

  inProgress(inputs: number): void {
    this.progress.set(inputs);
  }
}

export const signingMetricsProviders: Provider[] = [
  makeCounterProvider({
    name: SIGNATURES,
    help: 'Signatures made, by key and purpose.',
    labelNames: ['kid', 'purpose'],
  }),
  makeCounterProvider({
    name: REFUSALS,
    help: 'Requests refused, by reason; nothing of a refused request is signed.',
    labelNames: ['reason'],
  }),
  makeCounterProvider({
    name: PERMITTED,
    help: 'Requests that were signed, by client.',
    labelNames: ['client'],
  }),
  makeCounterProvider({
    name: REFUSED,
    help: 'Requests that were refused, by client; those that the configuration does not name are "other".',
    labelNames: ['client'],
  }),
  makeGaugeProvider({
    name: MARK,
    help: 'Position on which signed events build, by shard, as this process has last seen it.',
    labelNames: ['shard'],
  }),
  makeGaugeProvider({
    name: HIGHEST,
    help: 'Highest position that was signed, by shard, as this process has last seen it.',
    labelNames: ['shard'],
  }),
  makeGaugeProvider({
    name: CHECKPOINT_SIZE,
    help: 'Size of the last checkpoint that this process signed, by shard.',
    labelNames: ['shard'],
  }),
  makeTracedHistogramProvider({
    name: DURATION,
    help: "How long the backend took for one key's part of a batch.",
    labelNames: ['kid'],
    buckets: DURATION_BUCKETS_S,
  }),
  makeHistogramProvider({
    name: BACKEND_DURATION,
    help: 'Calls of a backend, by outcome: signed, refused, failed, timeout, unavailable (not asked, its circuit is open).',
    labelNames: ['backend', 'outcome'],
    buckets: DURATION_BUCKETS_S,
  }),
  makeGaugeProvider({
    name: CIRCUIT,
    help: '1 while a backend that failed several times in a row is not asked.',
    labelNames: ['backend'],
  }),
  makeHistogramProvider({ name: BATCH_SIZE, help: 'Inputs in a signed request.', buckets: BATCH_BUCKETS }),
  makeGaugeProvider({ name: IN_PROGRESS, help: 'Inputs that are being signed.' }),
  SigningMetrics,
];
