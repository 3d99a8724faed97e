import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  BoundedLog,
  freePort,
  guardFolder,
  releaseFolder,
  type RunningChild,
  startChild,
} from '#dev/devstack';
import { type RuleGroup } from '#dev/monitoring';
import { prometheusProgram } from '#dev/testing';
import { until } from '../../faults/until';

export interface Target {
  readonly component: string;
  /** Management URL: http://127.0.0.1:8444. */
  readonly url: string;
}

/** A real Prometheus that looks at processes and rules every second. */
export class LivePrometheus {
  private constructor(
    private readonly dir: string,
    private readonly url: string,
    private readonly child: RunningChild,
  ) {}

  static async start(
    namespace: string,
    targets: readonly Target[],
    groups: readonly RuleGroup[],
  ): Promise<LivePrometheus> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-prometheus-'));
    guardFolder(dir);
    await writeFile(join(dir, 'rules.yaml'), stringify({ groups }));
    await writeFile(
      join(dir, 'prometheus.yaml'),
      stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: ['rules.yaml'],
        scrape_configs: [
          {
            job_name: 'kernel',
            static_configs: targets.map(({ component, url }) => ({
              targets: [new URL(url).host],
              labels: { namespace, component },
            })),
          },
        ],
      }),
    );
    const port = await freePort();
    const child = await startChild({
      command: prometheusProgram('prometheus'),
      args: [
        `--config.file=${join(dir, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      env: {},
      cwd: dir,
      log: new BoundedLog(join(dir, 'prometheus.log')),
    });
    const prometheus = new LivePrometheus(dir, `http://127.0.0.1:${port}`, child);
    await until('Prometheus is ready', () =>
      fetch(`${prometheus.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  /** Alerts that fire now, as `name/severity`, with the value of a label where one is named. */
  async firing(): Promise<string[]> {
    const answer = await fetch(`${this.url}/api/v1/alerts`);
    const { data } = (await answer.json()) as {
      data: { alerts: { state: string; labels: Record<string, string> }[] };
    };
    return data.alerts
      .filter(({ state }) => state === 'firing')
      .map(({ labels }) => `${labels['alertname']}/${labels['severity']}`);
  }

  async stop(): Promise<void> {
    await this.child.stop(5_000);
    await rm(this.dir, { recursive: true, force: true });
    releaseFolder(this.dir);
  }
}
