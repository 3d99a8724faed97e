import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import {
  BoundedLog,
  freePort,
  guardFolder,
  releaseFolder,
  type RunningChild,
  startChild,
} from '#dev/devstack';
import { RUNBOOK_BASE, ruleGroups } from '#dev/monitoring';
import { describeWithPrometheus, prometheusProgram, workTree } from '#dev/testing';
import { until } from '../../faults/until';

type Labels = Readonly<Record<string, string>>;

interface Config {
  route: Route;
  receivers: { name: string; webhook_configs: { url: string }[] }[];
}
interface Route {
  group_wait?: string;
  group_interval?: string;
  routes?: Route[];
}

const rules = ruleGroups({ namespace: 'x', runbooks: RUNBOOK_BASE }).flatMap((group) => group.rules);

/** Labels that Prometheus would send: those of the rule in this namespace, and these. */
function firing(namespace: string, name: string, severity: string, labels: Labels = {}): Labels {
  const rule = rules.find(({ alert, labels: own }) => alert === name && own['severity'] === severity);
  if (rule === undefined) throw new Error(`There is no alert ${name} of the severity ${severity}.`);
  return { ...labels, ...rule.labels, namespace, alertname: name };
}

/** Receivers by path, and which alerts came to each, as `namespace/alert/severity`. */
class Receivers {
  readonly came = new Map<string, string[]>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { alerts } = JSON.parse(Buffer.concat(parts).toString()) as { alerts: { labels: Labels }[] };
        const to = (request.url ?? '').slice(1);
        for (const { labels } of alerts) {
          this.at(to).push(`${labels['namespace']}/${labels['alertname']}/${labels['severity']}`);
        }
        response.writeHead(200).end();
      });
    });
  }

  at(name: string): string[] {
    const list = this.came.get(name) ?? [];
    this.came.set(name, list);
    return list;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** The waits of groups, so that the test need not wait as people may; all else stays. */
function hasty(route: Route): Route {
  return {
    ...route,
    group_wait: route.group_wait === '0s' ? '0s' : '1s',
    group_interval: '1s',
    ...(route.routes === undefined ? {} : { routes: route.routes.map(hasty) }),
  };
}

describeWithPrometheus('a real Alertmanager with k8s/monitoring/alertmanager.yaml', () => {
  let dir: string;
  let receivers: Receivers;
  let child: RunningChild;
  let url: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-alertmanager-'));
    guardFolder(dir);
    receivers = new Receivers();
    const sink = await receivers.listen();
    const config = parse(
      await readFile(join(workTree(), 'k8s/monitoring/alertmanager.yaml'), 'utf8'),
    ) as Config;
    for (const receiver of config.receivers) {
      for (const webhook of receiver.webhook_configs) webhook.url = `${sink}/${receiver.name}`;
    }
    const file = join(dir, 'alertmanager.yaml');
    await writeFile(
      file,
      stringify({ ...config, route: hasty(config.route) }, { aliasDuplicateObjects: false }),
    );
    const port = await freePort();
    child = await startChild({
      command: prometheusProgram('alertmanager'),
      args: [
        `--config.file=${file}`,
        `--storage.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      env: {},
      cwd: dir,
      log: new BoundedLog(join(dir, 'alertmanager.log')),
    });
    url = `http://127.0.0.1:${port}`;
    await until('Alertmanager is ready', () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }, 60_000);
  afterAll(async () => {
    await child?.stop(5_000);
    await receivers?.close();
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  });

  const send = async (alerts: readonly Labels[]): Promise<void> => {
    const answer = await fetch(`${url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts.map((labels) => ({ labels }))),
    });
    expect(answer.status).toBe(200);
  };
  /** Alerts of the namespace that Alertmanager holds back, by its own word. */
  const inhibited = async (namespace: string): Promise<string[]> => {
    const answer = await fetch(
      `${url}/api/v2/alerts?filter=${encodeURIComponent(`namespace="${namespace}"`)}`,
    );
    const all = (await answer.json()) as { labels: Labels; status: { inhibitedBy: string[] } }[];
    return all
      .filter(({ status }) => status.inhibitedBy.length > 0)
      .map(({ labels }) => `${labels['alertname']}/${labels['severity']}`)
      .sort();
  };
  const cameTo = (receiver: string, namespace: string): string[] =>
    [...new Set(receivers.at(receiver))]
      .filter((one) => one.startsWith(`${namespace}/`))
      .map((one) => one.slice(namespace.length + 1))
      .sort();

  it('sends every page to the pager and every ticket to the tickets', async () => {
    const alerts = rules.filter(({ alert }) => alert !== undefined);
    // Each in a namespace of its own, so that none inhibits another.
    await send(alerts.map(({ alert = '', labels }, n) => firing(`n${n}`, alert, labels['severity'] ?? '')));
    const of = (severity: string) =>
      alerts
        .map(({ alert, labels }, n) => ({ name: `n${n}/${alert}/${labels['severity']}`, labels }))
        .filter(({ labels }) => labels['severity'] === severity)
        .map(({ name }) => name)
        .sort();
    const came = (receiver: string) =>
      [...new Set(receivers.at(receiver))].filter((one) => /^n\d/.test(one)).sort();
    await until(
      'all have come',
      () => came('pager').length + came('tickets').length === alerts.length,
      60_000,
    );
    expect(came('pager')).toEqual(of('page'));
    expect(came('tickets')).toEqual(of('ticket'));
    expect(of('page').length).toBeGreaterThan(20);
    expect(of('ticket').length).toBeGreaterThan(30);
  }, 90_000);

  it.each<[string, Labels, readonly Labels[], readonly Labels[]]>([
    [
      'an integrity page silences tickets and objectives of its namespace',
      firing('evidence', 'KernelIntegrityFault', 'page', { where: 'head' }),
      [
        firing('evidence', 'KernelRelayBehind', 'ticket', { shard: '0' }),
        firing('evidence', 'KernelAppendsSlowly', 'page'),
      ],
      [
        firing('evidence', 'KernelDiskFills', 'page', { what: 'state' }),
        firing('evidence-2', 'KernelRelayBehind', 'ticket'),
      ],
    ],
    [
      'a process that is gone silences what it does not do',
      firing('gone', 'KernelComponentGone', 'page', { component: 'archiver' }),
      [
        firing('gone', 'KernelProcessDown', 'ticket', { component: 'archiver' }),
        firing('gone', 'KernelArchiveFails', 'ticket', { kind: 'unavailable' }),
        firing('gone', 'KernelArchiveStale', 'page'),
      ],
      [
        firing('gone', 'KernelIndexStale', 'page'),
        firing('gone', 'KernelRelayBehind', 'ticket', { shard: '0' }),
      ],
    ],
    [
      'a process that is down silences the lags of that process',
      firing('down', 'KernelProcessDown', 'ticket', { component: 'outbox-relay', instance: 'r-0' }),
      [firing('down', 'KernelRelayBehind', 'ticket', { shard: '0' })],
      [firing('down', 'KernelProcessDown', 'ticket', { component: 'outbox-relay', instance: 'r-1' })],
    ],
    [
      'a backend that is away silences slow and failing writes',
      firing('backend', 'KernelSigningBackendAway', 'page', { backend: 'kms' }),
      [
        firing('backend', 'KernelSigningBackendErrors', 'page', { backend: 'kms' }),
        firing('backend', 'KernelAppendsFail', 'page', { code: 'signing_unavailable' }),
        firing('backend', 'KernelSignsSlowly', 'page'),
      ],
      [firing('backend', 'KernelReadsSlowly', 'page')],
    ],
    [
      'a page silences the ticket of its name',
      firing('same', 'KernelReadsSlowly', 'page'),
      [firing('same', 'KernelReadsSlowly', 'ticket')],
      [firing('same', 'KernelAppendsSlowly', 'ticket')],
    ],
  ])(
    '%s',
    async (_, source, silent, loud) => {
      await send([source, ...silent, ...loud]);
      const namespace = source['namespace'] ?? '';
      const name = (labels: Labels) => `${labels['alertname']}/${labels['severity']}`;
      await until('the others have come', () =>
        [source, ...loud].every((labels) => {
          const receiver = labels['severity'] === 'page' ? 'pager' : 'tickets';
          return cameTo(receiver, labels['namespace'] ?? '').includes(name(labels));
        }),
      );
      expect(await inhibited(namespace)).toEqual(silent.map(name).sort());
      // Groups of what was sent together were due by now; those that are silent are in none.
      const came = [...cameTo('pager', namespace), ...cameTo('tickets', namespace)];
      for (const labels of silent) expect(came).not.toContain(name(labels));
    },
    60_000,
  );
});
