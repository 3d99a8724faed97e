import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boards, grafanaJson } from '#dev/dashboards';
import { workTree } from '#dev/testing';

/** Series that Prometheus makes itself, and those of Node.js that prom-client has. */
const NOT_OURS = /^(up|nodejs_\w+|process_\w+)$/;

describe('dashboards', () => {
  const documented = new Set(
    [...readFileSync(join(workTree(), 'docs', 'metrics.md'), 'utf8').matchAll(/^\| `(\w+)`/gm)].map(
      ([, name]) => name,
    ),
  );
  const queries = boards.flatMap(({ name, panels }) =>
    panels.flatMap((panel) => panel.queries.map((query) => ({ where: `${name}: ${panel.title}`, ...query }))),
  );

  it('name metrics that there are', () => {
    for (const { where, expr } of queries) {
      const metrics = [...expr.matchAll(/(\w+)\{namespace=/g)].map(([, name = '']) => name);
      expect([where, metrics.length]).not.toEqual([where, 0]);
      for (const metric of metrics) {
        const known =
          documented.has(metric) ||
          documented.has(metric.replace(/_(bucket|sum|count)$/, '')) ||
          NOT_OURS.test(metric);
        expect([where, metric, known]).toEqual([where, metric, true]);
      }
    }
  });

  it('look at one namespace in each query, and have no two panels of one name', () => {
    for (const { where, expr } of queries) {
      const selectors = [...expr.matchAll(/\{[^}]*\}/g)].map(([selector]) => selector);
      expect([where, selectors.every((one) => one.startsWith('{namespace=~"$namespace"'))]).toEqual([
        where,
        true,
      ]);
    }
    for (const { name, panels } of boards) {
      expect([name, new Set(panels.map(({ title }) => title)).size]).toEqual([name, panels.length]);
    }
  });

  it('are JSON with every query, its legend and a link from slow requests to traces', () => {
    for (const board of boards) {
      const json = JSON.parse(grafanaJson(board)) as {
        uid: string;
        panels: { title: string; targets: { expr: string; legendFormat: string; exemplar?: boolean }[] }[];
      };
      expect(json.uid).toBe(`illuvrse-kernel-${board.name}`);
      expect(json.panels.map(({ title }) => title)).toEqual(board.panels.map(({ title }) => title));
      const targets = json.panels.flatMap((panel) => panel.targets);
      const asked = board.panels.flatMap((panel) => panel.queries);
      expect(targets.map(({ expr, legendFormat }) => [expr, legendFormat])).toEqual(
        asked.map(({ expr, legend }) => [expr, legend]),
      );
      for (const { expr, exemplar } of targets) {
        expect(exemplar === true).toBe(expr.startsWith('histogram_quantile('));
      }
    }
  });
});
