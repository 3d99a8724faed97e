import { getToken } from '@willsoto/nestjs-prometheus';
import { type Provider } from '@nestjs/common';
import { Histogram, type LabelValues, register, type Registry } from 'prom-client';

export interface TracedHistogramOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly L[];
  /** Upper bounds, ascending. */
  readonly buckets: number[];
}

/**
 * Makes a histogram whose observations can name a trace as their exemplar, or takes the one that is there. It is registered
 * afterwards: prom-client refuses exemplars to a registry whose own format has none, and here the scraper chooses the format.
 */
export function tracedHistogram<L extends string = never>(
  options: TracedHistogramOptions<L>,
  registry: Registry = register,
): Histogram<L> {
  const existing = registry.getSingleMetric(options.name) as Histogram<L> | undefined;
  if (existing !== undefined) return existing;
  const histogram = new Histogram<L>({ ...options, enableExemplars: true, registers: [] });
  registry.registerMetric(histogram);
  return histogram;
}

/** Such a histogram of the process's registry, for `@InjectMetric`. */
export function makeTracedHistogramProvider(options: TracedHistogramOptions<string>): Provider {
  return { provide: getToken(options.name), useFactory: () => tracedHistogram(options) };
}

/**
 * Observes a value. The histogram keeps the last exemplar of each bucket, so that a slow observation names the trace that shows it.
 * @param traceId of a trace that this process records; undefined leaves the observation without one
 */
export function observeTraced<L extends string>(
  histogram: Histogram<L>,
  labels: LabelValues<L>,
  value: number,
  traceId: string | undefined,
): void {
  if (traceId === undefined) histogram.observe({ labels, value });
  // prom-client declares the labels of an exemplar as those of the histogram.
  else histogram.observe({ labels, value, exemplarLabels: { trace_id: traceId } as LabelValues<string> });
}
