import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { probe } from '#dev/devstack';
import { withStack, workTree } from '#dev/testing';

const WORKERS = ['outbox-relay', 'indexer', 'archiver', 'auditor', 'log-publisher'] as const;

/** Served where backups are configured alone: without them their absence says so. */
const OF_BACKUPS = /^kernel_backup_/;

describe('docs/metrics.md', () => {
  const stack = withStack({ workers: WORKERS });

  /** Name and type of each metric that a process serves, besides those of Node.js and the process itself. */
  const served = async (managementUrl: string): Promise<string[]> => {
    const { text } = await probe(`${managementUrl}/metrics`);
    return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
      .filter(([, name]) => !/^(nodejs|process)_/.test(name ?? ''))
      .map(([, name, type]) => `${name} ${type}`);
  };

  /** Section -> name and type of its metrics. */
  const documented = async (): Promise<Map<string, string[]>> => {
    const page = await readFile(join(workTree(), 'docs', 'metrics.md'), 'utf8');
    return new Map(
      page
        .split('\n## ')
        .slice(1)
        .map((section) => [
          section.split('\n', 1)[0] ?? '',
          [...section.matchAll(/^\| `(\S+)`\s+\| (\w+)\s+\|/gm)].map(([, name, type]) => `${name} ${type}`),
        ]),
    );
  };

  it('has every metric of every process, and none that no process has', async () => {
    const sections = await documented();
    const processes = new Map<string, string>([
      ['kernel', stack().kernels[0]?.managementUrl ?? ''],
      ['signing-proxy', stack().signingProxyManagementUrl],
      ...WORKERS.map((app): [string, string] => [app, stack().worker(app).managementUrl]),
    ]);
    const everywhere = sections.get('every process') ?? [];
    const all = new Set<string>();
    for (const [app, url] of processes) {
      const here = [...everywhere, ...(sections.get(app) ?? [])];
      const metrics = await served(url);
      expect([app, metrics.filter((metric) => !here.includes(metric))]).toEqual([app, []]);
      expect(metrics.length).toBeGreaterThan(1);
      for (const metric of metrics) all.add(metric);
    }
    for (const [section, metrics] of sections) {
      // A witness belongs to somebody else, and is not part of a stack.
      if (section === 'witness') continue;
      expect([section, metrics.filter((metric) => !all.has(metric) && !OF_BACKUPS.test(metric))]).toEqual([
        section,
        [],
      ]);
    }
  });
});
