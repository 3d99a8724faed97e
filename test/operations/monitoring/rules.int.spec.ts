import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { parse, stringify } from 'yaml';
import { RUNBOOK_BASE, ruleGroups, shortened } from '#dev/monitoring';
import { describeWithPrometheus, prometheusProgram, workTree } from '#dev/testing';
import { type Logger, RequestObserver } from '#platform/process';
import { ALERT_CASES } from './alert-cases';
import { OBJECTIVE_CASES } from './objective-cases';
import { promtoolTest, type RuleCase } from './rule-case';

const RULES = 'k8s/monitoring/kernel.rules.yaml';
const CASES = [...ALERT_CASES, ...OBJECTIVE_CASES];
/** Metrics of Prometheus itself, and of the client library in every process. */
const OF_OTHERS = ['up', 'process_start_time_seconds'];
/** Metrics of parts that are not in this tree yet: each leaves this list when docs/metrics.md has it. */
const AGREED = [
  'kernel_postgres_replication_lag_seconds',
  'kernel_postgres_transaction_id_age',
  'kernel_state_filesystem_free_ratio',
  'kernel_vault_token_expiry_timestamp_seconds',
  'kernel_backup_last_base_timestamp_seconds',
  'kernel_backup_last_wal_timestamp_seconds',
  'kernel_drill_last_completed_timestamp_seconds',
];

const groups = ruleGroups({ namespace: 'illuvrse-kernel', runbooks: RUNBOOK_BASE });
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const nameOf = (alert: string | undefined, severity: string | undefined): string => `${alert} (${severity})`;

describe('the rules', () => {
  it('are the committed ones', () => {
    expect(parse(readFileSync(join(workTree(), RULES), 'utf8'))).toEqual({ groups });
  });

  it('look at bounds that the histogram of requests has', async () => {
    const registry = new Registry();
    const logger = { isLevelEnabled: () => false } as unknown as Logger;
    new RequestObserver(logger, registry).answered({
      requestId: 'r',
      method: 'GET',
      route: '/',
      status: 200,
      ms: 1,
    });
    const served = await registry.metrics();
    const bounds = rules.flatMap(({ expr }) => [
      ...expr.matchAll(/(http_[a-z_]+_bucket)\{.*?le="([0-9.]+)"/g),
    ]);
    expect(bounds.length).toBeGreaterThanOrEqual(14);
    for (const [, name, le] of bounds) expect(served).toMatch(new RegExp(`^${name}\\{[^}]*le="${le}"`, 'm'));
  });

  it('are tried with series that fire and with series that do not, each of them', () => {
    const all = alerts.map(({ alert, labels }) => nameOf(alert, labels['severity'])).sort();
    expect(new Set(all).size).toBe(all.length);
    const tried = (wanted: (one: RuleCase) => boolean) => [
      ...new Set(CASES.filter(wanted).map(({ alert, severity }) => nameOf(alert, severity))),
    ];
    expect(tried(({ fires }) => fires.length > 0).sort()).toEqual(all);
    expect(tried(({ fires }) => fires.length === 0).sort()).toEqual(all);
  });

  it('use metrics that there are, of one kernel', () => {
    const known = new Set(
      readFileSync(join(workTree(), 'docs/metrics.md'), 'utf8').match(/(?<=^\| `)[a-z_]+/gm),
    );
    const recorded = new Set(rules.map(({ record }) => record));
    const used = rules.flatMap(({ expr }) => expr.match(/[a-z_][a-z0-9_:]*(?=\{)/g) ?? []);
    expect(used.length).toBeGreaterThan(200);
    const unknown = new Set(
      used
        .filter((name) => !recorded.has(name))
        .map((name) => name.replace(/_(bucket|count)$/, ''))
        .filter((name) => !known.has(name)),
    );
    expect([...unknown].filter((name) => ![...OF_OTHERS, ...AGREED].includes(name))).toEqual([]);
    for (const { expr } of rules) {
      for (const selector of expr.match(/(?<=[a-z0-9_])\{[^}]*/g) ?? []) {
        expect(selector).toMatch(/^\{namespace="illuvrse-kernel"/);
      }
    }
  });

  it('page at once when evidence is at stake', () => {
    const integrity = alerts.filter(({ labels }) => labels['area'] === 'integrity');
    expect(integrity.length).toBeGreaterThanOrEqual(7);
    for (const rule of integrity) {
      expect(rule.labels['severity']).toBe('page');
      expect(rule).not.toHaveProperty('for');
    }
  });
});

describeWithPrometheus('promtool', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'kernel-rules-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const promtool = (...args: string[]): string =>
    execFileSync(prometheusProgram('promtool'), args, { encoding: 'utf8', stdio: 'pipe' });
  /** Each case with the rules of its alert alone, and what they build on: all of them at each minute take minutes. */
  const run = (tests: readonly { alert: string; test: object }[]) => {
    const files = [...new Set(tests.map(({ alert }) => alert))].map((alert) => {
      const own = rules.filter((rule) => rule.alert === alert);
      const slo = own[0]?.labels['slo'];
      const recordings = rules.filter(({ record, labels }) => record !== undefined && labels['slo'] === slo);
      const ruleFile = join(dir, `${alert}.rules.yaml`);
      writeFileSync(ruleFile, stringify({ groups: [{ name: alert, rules: [...recordings, ...own] }] }));
      const file = join(dir, `${alert}.yaml`);
      const cases = tests.filter((one) => one.alert === alert).map(({ test }) => test);
      writeFileSync(file, stringify({ rule_files: [ruleFile], evaluation_interval: '1m', tests: cases }));
      return file;
    });
    const { status, stdout, stderr } = spawnSync(prometheusProgram('promtool'), ['test', 'rules', ...files], {
      encoding: 'utf8',
      maxBuffer: 2 ** 24,
    });
    return {
      status,
      failures: (stdout + stderr).split('\n').filter((line) => /expr:|exp:|got:|error/.test(line)),
    };
  };
  const GOOD = { status: 0, failures: [] };

  it('takes the rules, and the shortened ones of the live test', () => {
    expect(promtool('check', 'rules', join(workTree(), RULES))).toContain(`${rules.length} rules found`);
    const short = join(dir, 'short.yaml');
    writeFileSync(short, stringify({ groups: shortened(groups, 60, 5) }));
    expect(promtool('check', 'rules', short)).toContain(`${rules.length} rules found`);
  });

  it('sees each alert fire when it has to, and only then', () => {
    expect(run(CASES.map((one) => ({ alert: one.alert, test: promtoolTest(one) })))).toEqual(GOOD);
  }, 300_000);

  it("sees none fire by another kernel's series", () => {
    const others = CASES.filter(({ fires, byAbsence }) => fires.length > 0 && byAbsence !== true);
    const tests = others.map((one) => ({
      alert: one.alert,
      test: promtoolTest({ ...one, fires: [] }, 'another-kernel'),
    }));
    expect(run(tests)).toEqual(GOOD);
  }, 300_000);

  it('would see one that does not fire', () => {
    const [first] = ALERT_CASES;
    expect(first).toBeDefined();
    const { alert } = first as RuleCase;
    const { status, failures } = run([{ alert, test: promtoolTest({ ...(first as RuleCase), series: [] }) }]);
    expect(status).toBe(1);
    expect(failures).toContainEqual(expect.stringContaining(alert));
  });
});
