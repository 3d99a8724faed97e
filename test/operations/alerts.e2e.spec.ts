import { ruleGroups, shortened } from '#dev/monitoring';
import {
  describeWith,
  nightly,
  kafkaTestsMissing,
  prometheusMissing,
  startStack,
  type TestStack,
} from '#dev/testing';
import { until } from '../faults/until';
import { LivePrometheus } from './monitoring/live-prometheus';

const NAMESPACE = 'live';
/** An hour is a minute, and no range is shorter than ten scrapes. */
const [FACTOR, LEAST_S] = [60, 10];
/** Long enough for the lag of 120 s after which a relay is behind. */
const FIRE_MS = 240_000;
const RESOLVE_MS = 180_000;

interface Row {
  alert: string;
  fault: string;
  fireS: number;
  resolveS: number;
}

/** Real faults in a real stack, seen by a real Prometheus with the rules in short. */
describeWith(nightly(prometheusMissing() ?? kafkaTestsMissing()), 'alerts', () => {
  let stack: TestStack;
  let prometheus: LivePrometheus;
  const rows: Row[] = [];

  beforeAll(async () => {
    stack = await startStack({
      workers: ['outbox-relay', 'indexer', 'archiver', 'log-publisher'],
      stream: 'kafka',
    });
    const targets = [
      ...stack.kernels.map(({ managementUrl }) => ({ component: 'kernel', url: managementUrl })),
      { component: 'signing-proxy', url: stack.signingProxyManagementUrl },
      ...stack.workers.map(({ app, managementUrl }) => ({ component: app, url: managementUrl })),
    ];
    const groups = ruleGroups({ namespace: NAMESPACE, runbooks: 'https://runbooks.example.com' });
    prometheus = await LivePrometheus.start(NAMESPACE, targets, shortened(groups, FACTOR, LEAST_S));
  }, 180_000);
  afterAll(async () => {
    const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
    const table = rows.map(({ alert, fault, fireS, resolveS }) => line([alert, fault, fireS, resolveS]));
    process.stdout.write(
      `${[line(['alert', 'fault', 'fires after s', 'resolved after s']), line(['---', '---', '---', '---']), ...table].join('\n')}\n`,
    );
    await prometheus?.stop();
    await stack?.stop();
  }, 60_000);

  const sign = () =>
    stack.client('OPERATOR').post('/kernel/sign', { manifest: { id: 'm', version: '1.0.0', kind: 'agent' } });
  const mode = (wanted: string) =>
    stack.client('SUPERADMIN').post('/kernel/admin/mode', { mode: wanted, reason: 'a drill' });
  const seconds = (from: number): number => Math.round((performance.now() - from) / 100) / 10;

  /** Makes a fault, waits until all of these fire, mends it, waits until none of them does. */
  async function drill(
    fault: string,
    alerts: readonly string[],
    make: () => Promise<unknown>,
    mend: () => Promise<unknown>,
  ) {
    await until(
      `none of ${alerts.join(', ')} fires`,
      async () => {
        const firing = await prometheus.firing();
        return alerts.every((alert) => !firing.includes(alert));
      },
      RESOLVE_MS,
    );
    const made = performance.now();
    await make();
    const fired = new Map<string, number>();
    try {
      await until(
        `${alerts.join(', ')} fire`,
        async () => {
          const firing = await prometheus.firing();
          for (const alert of alerts)
            if (firing.includes(alert) && !fired.has(alert)) fired.set(alert, seconds(made));
          return fired.size === alerts.length;
        },
        FIRE_MS,
      );
    } finally {
      await mend();
    }
    const mended = performance.now();
    const resolved = new Map<string, number>();
    await until(
      `${alerts.join(', ')} are resolved`,
      async () => {
        const firing = await prometheus.firing();
        for (const alert of alerts)
          if (!firing.includes(alert) && !resolved.has(alert)) resolved.set(alert, seconds(mended));
        return resolved.size === alerts.length;
      },
      RESOLVE_MS,
    );
    for (const alert of alerts) {
      rows.push({ alert, fault, fireS: fired.get(alert) ?? NaN, resolveS: resolved.get(alert) ?? NaN });
    }
    expect([...fired.keys()].sort()).toEqual([...alerts].sort());
  }

  it('fire when the kernel is made read-only', async () => {
    await drill(
      'read-only mode',
      ['KernelNotInNormalMode/page'],
      async () => expect((await mode('read-only')).status).toBe(200),
      async () => expect((await mode('normal')).status).toBe(200),
    );
  }, 600_000);

  it('fire when a worker is killed', async () => {
    const { process: indexer } = stack.worker('indexer');
    await drill(
      'the indexer killed',
      ['KernelProcessDown/ticket', 'KernelIndexStale/page'],
      () => indexer.kill(),
      () => indexer.start(),
    );
  }, 600_000);

  it('fire when Kafka is stopped', async () => {
    const { server } = stack.stream;
    if (server === undefined) throw new Error('the stream is not Kafka');
    await drill(
      'Kafka stopped, with a write',
      [
        'KernelRelayBehind/ticket',
        'KernelIndexStale/page',
        'KernelArchiveStale/page',
        'KernelCheckpointStale/page',
      ],
      async () => {
        await server.stop();
        expect((await sign()).status).toBe(200);
      },
      () => server.start(),
    );
  }, 600_000);
});
