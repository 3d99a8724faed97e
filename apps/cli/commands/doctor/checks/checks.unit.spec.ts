import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command } from 'commander';
import { workTree } from '#dev/testing';
import { createProgram } from '../../../program';
import { type DatabaseFacts, type Facts } from '../facts';
import { diagnose } from '../finding';
import { findingsOf, notLookedAt } from './all-checks';
import { parseMetrics } from '../gather/metrics-text';
import { DATABASE, endpoint, failing, healthyFacts, NOW, RUN, seeing, withMetrics } from './facts.fixture';

const DAY_S = 86_400;
const at = (seconds: number) => NOW / 1000 + seconds;
const database = (change: Partial<DatabaseFacts>) =>
  healthyFacts({ database: seeing({ ...DATABASE, ...change }) });
const services = (change: object) =>
  healthyFacts({
    run: seeing({
      ...RUN,
      services: [
        { name: 'archiver', state: 'waiting to restart', pid: null, restarts: 0, url: '', ...change },
      ],
    }),
  });
const certificate = (kind: 'certificate' | 'revocation list' | 'unreadable', days: number, from = -1) =>
  healthyFacts({
    certificates: seeing([
      {
        file: '/x.pem',
        kind,
        subject: 'CN=x',
        from: NOW + from * DAY_S * 1000,
        to: NOW + days * DAY_S * 1000,
        problem: 'is empty',
      },
    ]),
  });
const disk = (change: object) =>
  healthyFacts({
    disks: seeing([
      { folder: '/state', freeBytes: 50e9, totalBytes: 100e9, problem: null, refused: null, ...change },
    ]),
  });
const unready = (name: string, check: string) =>
  healthyFacts({
    endpoints: seeing([
      endpoint(name, '', { ready: { status: 503, text: '' }, failing: { [check]: 'it is broken' } }),
    ]),
  });
const audit = (change: object) =>
  database({
    lastAudit: {
      id: 'run-1',
      startedAt: NOW - 3_600_000,
      outcome: 'clean',
      findings: 0,
      message: null,
      ...change,
    },
  });

/** Code, what was damaged, and a word that the finding says of where. */
const FIRES: readonly (readonly [string, Facts, string])[] = [
  [
    'state_incomplete',
    healthyFacts({ run: seeing({ ...RUN, missing: ['/state/row.key is missing.'] }) }),
    '/state',
  ],
  ['not_running', healthyFacts({ run: seeing({ ...RUN, supervised: false, services: [] }) }), '/state'],
  ['process_down', services({ restarts: 1 }), 'archiver'],
  ['process_restarting', services({ restarts: 3 }), 'archiver'],
  [
    'process_silent',
    healthyFacts({
      endpoints: seeing([endpoint('indexer', '', { health: { status: 0, text: 'late' }, metrics: null })]),
    }),
    'indexer',
  ],
  ['not_ready', unready('kernel', 'postgres'), '/ready'],
  ['signing_backend_failing', unready('signing-proxy', 'signing backends'), 'signing-proxy'],
  [
    'signing_backend_failing',
    withMetrics('signing-proxy', 'signing_proxy_backend_circuit_open{backend="hsm"} 1'),
    'signing-proxy',
  ],
  ['port_taken', healthyFacts({ ports: seeing([{ port: 8443, purpose: 'kernel', taken: true }]) }), '8443'],
  [
    'node_too_old',
    healthyFacts({ program: seeing({ node: '24.8.1', leastNode: '>=24.9', build: null }) }),
    'node',
  ],
  [
    'node_versions_differ',
    healthyFacts({
      endpoints: seeing([
        endpoint('kernel'),
        { ...endpoint('indexer'), metrics: parseMetrics('nodejs_version_info{version="v26.0.0"} 1') },
      ]),
    }),
    'processes',
  ],
  [
    'build_older_than_sources',
    healthyFacts({
      program: seeing({ node: '24.9.0', leastNode: '>=24.9', build: { digest: 'abc', movedOn: true } }),
    }),
    'build',
  ],
  ['postgres_away', healthyFacts({ database: failing('connect ECONNREFUSED') }), 'PostgreSQL'],
  ['postgres_connections_nearly_out', database({ connections: { used: 95, max: 100 } }), 'kernel'],
  ['postgres_long_transaction', database({ oldestTransactionSeconds: 7201 }), 'kernel'],
  ['postgres_transaction_ids', database({ transactionIdsUsed: 0.6 }), 'kernel'],
  ['clock_skewed', database({ clockAheadMs: -60_000 }), 'database'],
  [
    'clock_skewed',
    healthyFacts({
      endpoints: seeing([
        endpoint('indexer', '', {
          health: { status: 200, text: '', clock: { there: NOW + 3_600_000, here: NOW } },
        }),
      ]),
    }),
    'indexer',
  ],
  ['clock_ahead', withMetrics('kernel-2', 'audit_clock_ahead_seconds 3600'), 'kernel-2'],
  ['database_unseen', database({ refused: ['kernel.mode'] }), 'DATABASE_URL'],
  ['database_unseen', database({ refused: ['kernel.audit_runs'], lastAudit: null }), 'DATABASE_URL'],
  ['schema_older', healthyFacts({ schema: seeing({ missing: ['M1'], unknown: [] }) }), 'schema'],
  [
    'schema_newer',
    healthyFacts({ schema: seeing({ missing: [], unknown: ['M9'], problems: [] }) }),
    'schema',
  ],
  [
    'rights_wrong',
    healthyFacts({
      schema: seeing({ missing: [], unknown: [], problems: ['A right is missing: r SELECT.'] }),
    }),
    'schema',
  ],
  [
    'schema_wrong',
    healthyFacts({
      schema: seeing({ missing: [], unknown: [], problems: ['The role "r" does not exist.'] }),
    }),
    'schema',
  ],
  ['schema_unseen', healthyFacts({ schema: failing('permission denied') }), 'schema'],
  ['kafka_away', healthyFacts({ kafka: seeing([{ broker: 'b:9092', problem: 'refused' }]) }), 'b:9092'],
  [
    'archive_away',
    healthyFacts({ archive: seeing({ name: 'bucket audit', problem: 'refused' }) }),
    'bucket audit',
  ],
  ['archive_away', healthyFacts({ archive: failing('no answer') }), 'archive'],
  [
    'archive_refuses',
    withMetrics(
      'archiver',
      'archiver_upload_failures_total{kind="unavailable"} 5',
      'archiver_upload_failures_total{kind="unavailable"} 3',
    ),
    'archiver',
  ],
  ['disk_full', disk({ problem: 'The disk of /state is full.' }), '/state'],
  ['disk_not_writable', disk({ refused: 'EROFS' }), '/state'],
  ['disk_nearly_full', disk({ freeBytes: 5e9 }), '/state'],
  ['openbao_away', healthyFacts({ openBao: failing('refused') }), 'OpenBao'],
  [
    'openbao_sealed',
    healthyFacts({ openBao: seeing({ url: 'https://bao', sealed: true, initialized: true }) }),
    'https://bao',
  ],
  [
    'token_near_end',
    withMetrics('signing-proxy', `signer_token_expiry_timestamp_seconds ${at(600)}`),
    'signing-proxy',
  ],
  [
    'signing_slow',
    withMetrics(
      'signing-proxy',
      'signing_proxy_backend_duration_seconds_sum 12\nsigning_proxy_backend_duration_seconds_count 4',
    ),
    'signing-proxy',
  ],
  ...['outbox-relay:relay', 'indexer:index', 'archiver:archive', 'log-publisher:log', 'other:reader'].map(
    (pair) => {
      const [reader = '', code = ''] = pair.split(':');
      return [
        `${code}_behind`,
        database({ behind: [{ reader, shard: 3, events: 9, ageSeconds: 61 }] }),
        'shard 3',
      ] as const;
    },
  ),
  [
    'index_behind',
    {
      ...withMetrics('indexer', 'kernel_pipeline_lag_seconds{stage="indexer",shard="2"} 90'),
      database: { kind: 'not asked', why: '' },
    },
    'shard 2',
  ],
  [
    'checkpoint_stale',
    withMetrics(
      'log-publisher',
      'log_publisher_checkpoint_age_seconds{shard="0"} 90\nlog_publisher_published_size{shard="0"} 40',
    ),
    'shard 0',
  ],
  ['audit_findings', audit({ outcome: 'findings', findings: 2 }), 'kernel.test/unit'],
  ['audit_failed', audit({ outcome: 'failed', message: 'no archive' }), 'kernel.test/unit'],
  ['audit_old', audit({ startedAt: NOW - 27 * 3_600_000 }), 'kernel.test/unit'],
  ['audit_never', database({ lastAudit: null }), 'kernel.test/unit'],
  ['integrity_fault', withMetrics('kernel-2', 'kernel_integrity_faults_total{where="head"} 1'), 'head'],
  [
    'chain_contradicted',
    withMetrics('indexer', 'audit_integrity_failures_total{shard="1",kind="hash"} 1'),
    'shard 1',
  ],
  ['key_events_forged', withMetrics('kernel-2', 'kernel_key_events_refused 1'), 'kernel-2'],
  ['log_inconsistent', withMetrics('witness', 'witness_log_inconsistent{log="l"} 1'), 'witness'],
  [
    'backup_old',
    withMetrics('backup', `kernel_backup_last_base_timestamp_seconds ${at(-27 * 3600)}`),
    'backup',
  ],
  [
    'wal_archiving_behind',
    withMetrics('backup', `kernel_backup_last_wal_timestamp_seconds ${at(-700)}`),
    'backup',
  ],
  [
    'mode_not_normal',
    database({ mode: { mode: 'read-only', restoring: false, reason: 'work' } }),
    'kernel.mode',
  ],
  ['mode_restoring', database({ mode: { mode: 'safe-mode', restoring: true, reason: '' } }), 'kernel.mode'],
  ['key_rotation_due', withMetrics('kernel-2', 'kernel_key_rotation_due{kid="k7"} 1'), 'k7'],
  [
    'signers_differ',
    healthyFacts({ signers: seeing({ file: '/s.json', differences: ['it lacks k2'] }) }),
    '/s.json',
  ],
  ['signers_unseen', healthyFacts({ signers: failing('401') }), 'signers.json'],
  [
    'notifications_dead',
    withMetrics('kernel-2', 'kernel_notifications_undelivered{endpoint="pager",state="dead"} 2'),
    'pager',
  ],
  ['webhooks_dead', withMetrics('kernel-2', 'kernel_webhook_undelivered{webhook="w2",state="dead"} 1'), 'w2'],
  ['upgrades_unratified', withMetrics('kernel-2', 'kernel_upgrades_unratified 1'), 'governance'],
  ['upgrades_overdue', withMetrics('kernel-2', 'kernel_upgrades_overdue 1'), 'governance'],
  [
    'partitions_full',
    withMetrics('kernel-2', 'kernel_partition_failures_total 3\nkernel_partition_room_events{shard="4"} 12'),
    'shard 4',
  ],
  ['certificate_near_end', certificate('certificate', 13), '/x.pem'],
  ['certificate_ended', certificate('certificate', -1, -2), '/x.pem'],
  [
    'certificate_ended',
    withMetrics(
      'kernel-2',
      `tls_certificate_expiry_timestamp_seconds{use="api",subject="CN=k",serial="1"} ${at(-5)}`,
    ),
    'kernel-2, api',
  ],
  ['certificate_not_yet', certificate('certificate', 30, 1), '/x.pem'],
  ['certificate_unusable', certificate('unreadable', 0), '/x.pem'],
  ['crl_near_end', certificate('revocation list', 3), '/x.pem'],
  ['crl_ended', certificate('revocation list', -1, -2), '/x.pem'],
  ['tls_files_refused', withMetrics('kernel-2', 'tls_files_refused{use="api"} 1'), 'kernel-2, api'],
  [
    'secret_file_refused',
    withMetrics('kernel-2', 'secret_file_refused{setting="DATABASE_URL"} 1'),
    'DATABASE_URL',
  ],
  [
    'secret_file_open',
    healthyFacts({ privateFiles: seeing([{ file: '/state/row.key', mode: 0o644 }]) }),
    '/state/row.key',
  ],
  [
    'errors_in_log',
    healthyFacts({
      logs: seeing([{ name: 'kernel', file: '/k.log', errors: [{ message: 'no', count: 3, last: 'now' }] }]),
    }),
    '/k.log',
  ],
  ['could_not_be_looked_at', healthyFacts({ disks: failing('EIO') }), 'disks'],
];

describe('the checks', () => {
  it('find nothing on a healthy kernel, and have looked at all of it', () => {
    expect(findingsOf(healthyFacts())).toEqual([]);
    expect(notLookedAt(healthyFacts())).toEqual([]);
  });

  it.each(FIRES)('find %s', (code, facts, where) => {
    const found = findingsOf(facts);
    expect(found.map((one) => one.code)).toEqual([code]);
    expect(found[0]?.where).toContain(where);
    expect(found[0]?.what).toMatch(/^\S.*[^\s]$/);
  });

  it('are all tried above', () => {
    const sources = readdirSync(__dirname).filter((name) => /^[a-z-]+\.ts$/.test(name));
    const codes = new Set<string>();
    for (const name of sources) {
      const text = readFileSync(join(__dirname, name), 'utf8');
      for (const [, expression = ''] of text.matchAll(/\bcode: ((?:[^,]|\n)*?),\n|\bcode: '/g)) {
        for (const [, code = ''] of expression.matchAll(/'([a-z]+(?:_[a-z]+)+)'/g)) codes.add(code);
      }
    }
    expect(codes.size).toBeGreaterThan(50);
    const tried = new Set(FIRES.map(([code]) => code));
    expect([...codes].filter((code) => !tried.has(code))).toEqual([]);
  });

  it('name commands and runbooks that exist', () => {
    const program = createProgram();
    const commands = new Set<string>();
    const add = (command: Command, path: string): void => {
      for (const child of command.commands) {
        commands.add(`${path}${child.name()}`);
        add(child, `${path}${child.name()} `);
      }
    };
    add(program, '');
    const groups = new Set([...commands].map((name) => name.split(' ')[0] ?? ''));
    let named = 0;
    for (const { code, action, runbook } of FIRES.flatMap(([, facts]) => findingsOf(facts))) {
      for (const [, verb = '', next = ''] of action.matchAll(/\.\/kernel ([a-z]+)(?: ([a-z-]+))?/g)) {
        named += 1;
        expect([code, verb, groups.has(verb)]).toEqual([code, verb, true]);
        const isGroup = [...commands].some((name) => name.startsWith(`${verb} `));
        if (isGroup)
          expect([code, verb, next, commands.has(`${verb} ${next}`)]).toEqual([code, verb, next, true]);
      }
      if (runbook !== undefined)
        expect([code, existsSync(join(workTree(), 'runbooks', runbook))]).toEqual([code, true]);
    }
    expect(named).toBeGreaterThan(20);
  });

  it('go on when one of them fails, which is a finding of its own', () => {
    const broken = {
      name: 'broken',
      look: () => {
        throw new Error('postgres://u:hunter22@h/ is no place');
      },
    };
    const sound = {
      name: 'sound',
      look: () => [{ code: 'x_y', severity: 'warning', what: 'w', where: 'x', action: 'a' } as const],
    };
    const found = findingsOf(healthyFacts(), [broken, sound]);
    expect(found.map(({ code, severity, where }) => [code, severity, where])).toEqual([
      ['could_not_be_looked_at', 'unknown', 'broken'],
      ['x_y', 'warning', 'x'],
    ]);
    expect(found[0]?.what).not.toContain('hunter22');
  });

  it('do not call fine what nobody could look at', () => {
    const none = { kind: 'not asked', why: 'no address' } as const;
    const facts = healthyFacts({ database: none, schema: none, endpoints: seeing([endpoint('kernel')]) });
    expect(findingsOf(facts)).toEqual([]);
    expect(notLookedAt(facts)).toEqual([
      { part: 'database', why: 'no address' },
      { part: 'schema', why: 'no address' },
      { part: 'backups', why: 'no backups are configured' },
    ]);
  });
});

describe('a diagnosis', () => {
  it('says a stopped PostgreSQL once, with everything that follows from it', () => {
    const broken = (name: string) =>
      endpoint(name, '', { ready: { status: 503, text: '' }, failing: { postgres: 'connect ECONNREFUSED' } });
    const facts = healthyFacts({
      run: seeing({
        ...RUN,
        services: [{ name: 'postgres', state: 'waiting to restart', pid: null, restarts: 4, url: '' }],
      }),
      ports: seeing([{ port: 8446, purpose: 'postgres', taken: true }]),
      endpoints: seeing(['kernel', 'indexer', 'archiver', 'outbox-relay'].map(broken)),
      database: failing('connect ECONNREFUSED'),
      schema: failing('connect ECONNREFUSED'),
      logs: seeing([
        { name: 'kernel', file: '/k.log', errors: [{ message: 'lost', count: 9, last: 'now' }] },
      ]),
    });
    const [first, ...others] = diagnose(findingsOf(facts));
    expect(first).toMatchObject({ code: 'port_taken', severity: 'critical' });
    expect(first?.effects.map(({ code }) => code).sort()).toEqual([
      'errors_in_log',
      ...['not_ready', 'not_ready', 'not_ready', 'not_ready', 'postgres_away', 'process_restarting'],
    ]);
    expect(others).toEqual([]);
  });

  it('sorts by severity, and keeps apart what has nothing to do with each other', () => {
    const facts = healthyFacts({
      database: seeing({ ...DATABASE, mode: { mode: 'read-only', restoring: false, reason: '' } }),
      disks: failing('EIO'),
      certificates: seeing([
        { file: '/x.pem', kind: 'certificate', subject: 'CN=x', from: 0, to: NOW + 1000 },
      ]),
    });
    expect(diagnose(findingsOf(facts)).map(({ code, severity }) => [severity, code])).toEqual([
      ['critical', 'mode_not_normal'],
      ['warning', 'certificate_near_end'],
      ['unknown', 'could_not_be_looked_at'],
    ]);
  });

  it('ends where findings explain each other in a circle', () => {
    const base = { severity: 'warning', what: 'w', where: 'x', action: 'a' } as const;
    const circle = diagnose([
      { ...base, code: 'a_a', explains: ['kafka'], effectOf: ['archive'] },
      { ...base, code: 'b_b', explains: ['archive'], effectOf: ['kafka'] },
    ]);
    expect(circle.length).toBeGreaterThan(0);
    expect(circle.flatMap(({ code, effects }) => [code, ...effects.map((one) => one.code)]).sort()).toEqual([
      'a_a',
      'b_b',
    ]);
  });
});
