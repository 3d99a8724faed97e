import { request } from 'undici';

/** One reading of a process's /metrics. */
export interface Metrics {
  /** Sum over all label values; 0 when there is no such metric. */
  value(name: string): number;
}

export async function metricsOf(url: string): Promise<Metrics> {
  const { body } = await request(url);
  const lines = (await body.text()).split('\n');
  return {
    value: (name) =>
      lines
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0),
  };
}
