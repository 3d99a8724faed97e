import { boards } from '#dev/dashboards';
import { describeWith, prometheusMissing, startStack, TestPrometheus, type TestStack } from '#dev/testing';
import { until } from '../faults/until';

const WORKERS = ['outbox-relay', 'indexer', 'archiver', 'auditor', 'log-publisher'] as const;

/** Every query of every panel against a real Prometheus that scrapes a whole stack under load. */
describeWith({ missing: prometheusMissing() }, 'dashboards', () => {
  let stack: TestStack;
  let prometheus: TestPrometheus;
  let load: Promise<void>;
  let ended = false;

  beforeAll(async () => {
    stack = await startStack({ workers: WORKERS });
    prometheus = await TestPrometheus.over(stack);
    load = (async () => {
      const client = stack.client('OPERATOR');
      for (let n = 0; !ended; n++) {
        await client.post('/kernel/sign', { manifest: { id: `load-${n}`, version: '1.0.0', kind: 'agent' } });
        await client.post('/kernel/audit', { type: 'load.sent', payload: { n } }, { idempotencyKey: true });
        await client.get('/kernel/audit?limit=5');
      }
    })();
  }, 120_000);
  afterAll(async () => {
    ended = true;
    await load?.catch(() => undefined);
    await prometheus?.stop();
    await stack?.stop();
  }, 60_000);

  const asked = (expr: string): string =>
    expr.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '10s');

  it.each(boards.map((board) => [board.name, board] as const))(
    '%s: each query returns series',
    async (_name, board) => {
      const empty = new Map<string, string>();
      for (const { title, queries } of board.panels) {
        for (const { expr, legend, quiet } of queries) {
          if (quiet !== undefined) {
            // It has to be a query all the same.
            if ((await prometheus.query(asked(expr))).length === 0) empty.set(`${title} / ${legend}`, quiet);
            continue;
          }
          await until(`"${title}" has series for ${expr}`, async () => {
            const series = await prometheus.query(asked(expr));
            const labels = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
            return (
              series.length > 0 &&
              series.some(({ value }) => !Number.isNaN(value)) &&
              series.every(({ metric }) => labels.every((label) => metric[label] !== undefined))
            );
          });
        }
      }
      const reasons = [...empty].map(([what, why]) => `  ${board.name}: ${what}: ${why}\n`).join('');
      process.stdout.write(reasons === '' ? '' : `nothing to see, as it should be:\n${reasons}`);
    },
    60_000,
  );

  it('has the load that the panels show', async () => {
    const [signatures] = await prometheus.query('sum(rate(signatures_total[10s]))');
    expect(signatures?.value).toBeGreaterThan(0);
    const up = await prometheus.query('up');
    expect(up.map(({ metric, value }) => [metric['component'], value]).sort()).toEqual(
      ['kernel', 'signing-proxy', ...WORKERS].map((component) => [component, 1]).sort(),
    );
  });
});
