import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BoundedLog, freePort, guardFolder, releaseFolder, startChild } from '#dev/devstack';
import { prometheusProgram } from './prometheus-programs';
import { type TestStack } from './test-stack';

const START_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 5_000;

export interface ScrapeTarget {
  /** Base URL of a management address. */
  readonly url: string;
  /** The process, as the chart's ServiceMonitor labels it. */
  readonly component: string;
}

/** One series of an answer. */
export interface QueriedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface QueriedExemplar {
  /** Labels of the series, its name as `__name__`. */
  readonly series: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly value: number;
}

/** A real Prometheus, which scrapes every second and keeps exemplars. */
export class TestPrometheus {
  private constructor(
    readonly url: string,
    private readonly end: () => Promise<void>,
  ) {}

  static async start(targets: readonly ScrapeTarget[]): Promise<TestPrometheus> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-prometheus-'));
    guardFolder(dir);
    const port = await freePort();
    const config = join(dir, 'prometheus.json');
    // JSON is YAML.
    await writeFile(config, JSON.stringify(configOf(targets)));
    const child = await startChild({
      command: prometheusProgram('prometheus'),
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
      ],
      env: {},
      cwd: dir,
      log: new BoundedLog(join(dir, 'prometheus.log')),
    });
    const prometheus = new TestPrometheus(`http://127.0.0.1:${port}`, async () => {
      await child.stop(STOP_GRACE_MS);
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    });
    const deadline = performance.now() + START_TIMEOUT_MS;
    const ready = () =>
      fetch(`${prometheus.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await ready())) {
      if (child.exit !== undefined || performance.now() > deadline) {
        await prometheus.stop();
        throw new Error(`Prometheus is not ready (${child.exit?.code ?? 'still starting'})`);
      }
      await delay(50);
    }
    return prometheus;
  }

  /** Every process of a stack that has metrics. */
  static over(stack: TestStack): Promise<TestPrometheus> {
    return TestPrometheus.start([
      ...stack.kernels.map(({ managementUrl }) => ({ url: managementUrl, component: 'kernel' })),
      { url: stack.signingProxyManagementUrl, component: 'signing-proxy' },
      ...stack.workers.map(({ app, managementUrl }) => ({ url: managementUrl, component: app })),
    ]);
  }

  /** Evaluates an expression now. @throws Error with what Prometheus says of it */
  async query(expr: string): Promise<QueriedSeries[]> {
    const { result } = await this.ask<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>('query', { query: expr });
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Exemplars of the series that an expression reads, of the last hour. */
  async exemplars(expr: string): Promise<QueriedExemplar[]> {
    const now = Date.now() / 1_000;
    const found = await this.ask<
      {
        seriesLabels: Record<string, string>;
        exemplars: { labels: { trace_id?: string }; value: string }[];
      }[]
    >('query_exemplars', { query: expr, start: String(now - 3_600), end: String(now + 60) });
    return found.flatMap(({ seriesLabels, exemplars }) =>
      exemplars.map(({ labels, value }) => ({
        series: seriesLabels,
        traceId: labels.trace_id ?? '',
        value: Number(value),
      })),
    );
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async ask<T>(what: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${what}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${parameters['query']}: ${answer.error}`);
    return answer.data;
  }
}

function configOf(targets: readonly ScrapeTarget[]): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '900ms' },
    scrape_configs: [
      {
        job_name: 'illuvrse-kernel',
        static_configs: targets.map(({ url, component }) => ({
          targets: [new URL(url).host],
          labels: { component },
        })),
      },
    ],
  };
}
