/** One question to Prometheus. */
export interface Query {
  /** PromQL. It may have `$namespace` and `$__rate_interval`, as Grafana sets them. */
  readonly expr: string;
  /** How a series is called, with labels as `{{label}}`. */
  readonly legend: string;
  /** Why a kernel that is well and has nothing else beside it has no series for it; undefined: it always has. */
  readonly quiet?: string;
}

export interface Panel {
  readonly title: string;
  /** What it shows and what to do about it, in a sentence. */
  readonly description?: string;
  /** As Grafana names units. */
  readonly unit: 'short' | 's' | 'percentunit' | 'reqps' | 'ops' | 'bytes' | 'bool';
  /** A number, or a line over time (default). */
  readonly kind?: 'stat';
  readonly queries: readonly Query[];
}

export interface Board {
  /** Name of its file, and end of its uid. */
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Selects a metric in the namespace that is looked at; where Prometheus adds no such label, in all there is. */
export function of(metric: string, ...matchers: readonly string[]): string {
  return `${metric}{${['namespace=~"$namespace"', ...matchers].join(',')}}`;
}

/** Per second. */
export function rate(metric: string, ...matchers: readonly string[]): string {
  return `rate(${of(metric, ...matchers)}[$__rate_interval])`;
}

export function sumBy(labels: string, expr: string): string {
  return labels === '' ? `sum(${expr})` : `sum by (${labels}) (${expr})`;
}

/** A quantile of a histogram. @param by labels that stay, separated by commas; empty: none */
export function quantile(q: number, histogram: string, by = '', ...matchers: readonly string[]): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${q}, ${sumBy(labels, rate(`${histogram}_bucket`, ...matchers))})`;
}

/** Median, p95 and p99, each as a query. */
export function quantiles(histogram: string, ...matchers: readonly string[]): Query[] {
  return [0.5, 0.95, 0.99].map((q) => ({
    expr: quantile(q, histogram, '', ...matchers),
    legend: `p${q * 100}`,
  }));
}

/** Part of the observations that were not above a bucket's bound. */
export function within(bound: string, histogram: string, ...matchers: readonly string[]): string {
  const good = sumBy('', rate(`${histogram}_bucket`, `le="${bound}"`, ...matchers));
  return `${good} / ${sumBy('', rate(`${histogram}_count`, ...matchers))}`;
}
