/** Samples of an answer of /metrics, by name. */
export type Metrics = ReadonlyMap<string, readonly Sample[]>;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** More than every process has together. */
const MAX_SAMPLES = 50_000;
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? (\S+)(?: \d+)?(?: # .*)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format of Prometheus, and OpenMetrics'; lines of another form are left out. */
export function parseMetrics(text: string): Metrics {
  const found = new Map<string, Sample[]>();
  let count = 0;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = LINE.exec(line);
    if (match === null || count === MAX_SAMPLES) continue;
    const [, name = '', labels = '', value = ''] = match;
    const number = value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value);
    if (Number.isNaN(number)) continue;
    const samples = found.get(name) ?? [];
    samples.push({ labels: labelsOf(labels), value: number });
    found.set(name, samples);
    count += 1;
  }
  return found;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(LABEL)) {
    labels[name] = value.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  return labels;
}

/** The samples of a metric; none when the process does not have it. */
export function samplesOf(metrics: Metrics | null, name: string): readonly Sample[] {
  return metrics?.get(name) ?? [];
}

/** Sum over all labels; undefined when the process does not have the metric. */
export function sumOf(metrics: Metrics | null, name: string): number | undefined {
  const samples = samplesOf(metrics, name);
  return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0);
}
