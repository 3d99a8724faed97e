import { type Context, createContextKey, isSpanContextValid, trace, TraceFlags } from '@opentelemetry/api';
import {
  type IdGenerator,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

/** Marks the context of a span that is recorded whatever the ratio says. */
export const FORCED = createContextKey('kernel: recorded whatever the ratio says');

/**
 * Records what the caller records, and of what begins here a part. Whether a trace is in the part follows from its id, so that
 * processes agree about it without asking each other. What failed is recorded always (FORCED).
 */
export class KernelSampler implements Sampler {
  private readonly ratio: TraceIdRatioBasedSampler;

  constructor(ratio: number) {
    this.ratio = new TraceIdRatioBasedSampler(ratio);
  }

  shouldSample(context: Context, traceId: string): SamplingResult {
    if (context.getValue(FORCED) === true) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    const parent = trace.getSpanContext(context);
    if (parent === undefined || !isSpanContextValid(parent)) return this.ratio.shouldSample(context, traceId);
    const isSampled = (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    return { decision: isSampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }

  toString(): string {
    return `KernelSampler{${this.ratio.toString()}}`;
  }
}

/** Random ids, or for the next span those that something was called by before. */
export class KernelIds implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  private given: { readonly traceId: string; readonly spanId: string } | undefined;

  /** Runs what starts one span, which gets these ids. */
  with<T>(ids: { readonly traceId: string; readonly spanId: string }, start: () => T): T {
    this.given = ids;
    try {
      return start();
    } finally {
      this.given = undefined;
    }
  }

  readonly generateTraceId = (): string => this.given?.traceId ?? this.random.generateTraceId();
  readonly generateSpanId = (): string => this.given?.spanId ?? this.random.generateSpanId();
}
