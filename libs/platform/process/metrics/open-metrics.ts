import { type Metric, type OpenMetricsContentType, Registry } from 'prom-client';

/** prom-client serves exemplars in this format only. */
export const OPEN_METRICS = Registry.OPENMETRICS_CONTENT_TYPE;

/** Whether a scraper that accepts this (`Accept`) likes OpenMetrics at least as much as the plain text format. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  let [open, plain] = [0, 0];
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type === 'application/openmetrics-text') open = Math.max(open, weight);
    if (type === 'text/plain') plain = Math.max(plain, weight);
  }
  return open > 0 && open >= plain;
}

/**
 * Metrics of a registry in the OpenMetrics format, with exemplars. Written from a view: prom-client takes `_total` off the names of
 * the counters that it writes this way, and the plain text format of the same registry would lose it.
 */
export async function openMetricsOf(registry: Registry): Promise<string> {
  const view = new Registry<OpenMetricsContentType>();
  view.setContentType(OPEN_METRICS);
  for (const metric of registry.getMetricsAsArray() as unknown as Served[]) {
    view.registerMetric({
      name: metric.name,
      type: metric.type,
      getForPromString: async () => {
        const data = await (metric.getForPromString?.() ?? metric.get());
        return metric.type === 'counter' ? { ...data, name: data.name.replace(/_total$/, '') } : data;
      },
    } as unknown as Metric);
  }
  return await view.metrics();
}

/** What prom-client's registry itself asks of a metric. */
interface Served {
  readonly name: string;
  readonly type: string;
  get(): Promise<{ readonly name: string }>;
  getForPromString?(): Promise<{ readonly name: string }>;
}
