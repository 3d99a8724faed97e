import {
  DEFAULT_LIMITS,
  type DatabaseFacts,
  type Endpoint,
  type Facts,
  type Looked,
  type Run,
} from '../facts';
import { parseMetrics } from '../gather/metrics-text';

export const NOW = Date.parse('2026-12-01T12:00:00Z');
const DAY = 86_400_000;

export function seeing<T>(value: T): Looked<T> {
  return { kind: 'seen', value };
}

export function failing(why: string): { readonly kind: 'failed'; readonly why: string } {
  return { kind: 'failed', why };
}

export function endpoint(name: string, metrics = '', more: Partial<Endpoint> = {}): Endpoint {
  const answer = { status: 200, text: '{}', clock: { there: NOW, here: NOW } };
  const read = parseMetrics(`nodejs_version_info{version="v24.9.0"} 1\n${metrics}`);
  const url = `http://${name}.example:9090`;
  return {
    ...{ name, url, health: answer, ready: answer, failing: {} },
    metrics: read,
    earlier: read,
    ...more,
  };
}

export const RUN: Run = {
  state: '/state',
  established: true,
  supervised: true,
  services: [
    { name: 'postgres', state: 'running', pid: 1, restarts: 0, url: '' },
    // It died twice and runs: no finding.
    { name: 'kernel', state: 'running', pid: 2, restarts: 2, url: '' },
  ],
  missing: [],
};

export const DATABASE: DatabaseFacts = {
  name: 'kernel',
  role: 'kernel_runtime',
  clockAheadMs: 20,
  refused: [],
  chain: { origin: 'kernel.test/unit', shards: 1, createdAt: NOW - 30 * DAY },
  mode: { mode: 'normal', restoring: false, reason: '' },
  heads: [{ shard: 0, seq: 100, ts: NOW - 1000 }],
  behind: [{ reader: 'indexer', shard: 0, events: 3, ageSeconds: 2 }],
  lastAudit: { id: 'a', startedAt: NOW - DAY / 2, outcome: 'clean', findings: 0, message: null },
  connections: { used: 20, max: 100 },
  oldestTransactionSeconds: 1,
  transactionIdsUsed: 0.01,
};

/** Everything is as it should be, and everything was looked at. */
export function healthyFacts(change: Partial<Facts> = {}): Facts {
  return {
    at: NOW,
    limits: DEFAULT_LIMITS,
    run: seeing(RUN),
    endpoints: seeing([
      endpoint(
        'kernel',
        [
          'audit_clock_ahead_seconds 0.01',
          'kernel_mode{mode="normal"} 1',
          'kernel_mode{mode="safe-mode"} 0',
          'kernel_integrity_faults_total{where="head"} 0',
          'kernel_key_rotation_due{kid="k1"} 0',
          'kernel_partition_room_events{shard="0"} 5000',
          'kernel_partition_failures_total 0',
          'kernel_webhook_undelivered{webhook="w",state="pending"} 4',
          'kernel_webhook_undelivered{webhook="w",state="dead"} 0',
          'kernel_upgrades_unratified 0',
          'tls_files_refused{use="api"} 0',
          `tls_certificate_expiry_timestamp_seconds{use="api",subject="CN=kernel",serial="1"} ${NOW / 1000 + 80 * 86_400}`,
          `kernel_backup_last_base_timestamp_seconds ${NOW / 1000 - 3600}`,
          `kernel_backup_last_wal_timestamp_seconds ${NOW / 1000 - 30}`,
        ].join('\n'),
      ),
      endpoint(
        'log-publisher',
        'log_publisher_checkpoint_age_seconds{shard="0"} 9000\nlog_publisher_published_size{shard="0"} 100',
      ),
    ]),
    ports: seeing([{ port: 8443, purpose: 'kernel', taken: false }]),
    database: seeing(DATABASE),
    schema: seeing({ missing: [], unknown: [], problems: [] }),
    kafka: seeing([{ broker: '127.0.0.1:9092', problem: null }]),
    archive: seeing({ name: 'bucket audit', problem: null }),
    openBao: seeing({ url: 'https://bao.example', sealed: false, initialized: true }),
    disks: seeing([{ folder: '/state', freeBytes: 50e9, totalBytes: 100e9, problem: null, refused: null }]),
    certificates: seeing([
      { file: '/c.pem', kind: 'certificate', subject: 'CN=a', from: NOW - DAY, to: NOW + 60 * DAY },
      { file: '/c.crl', kind: 'revocation list', subject: 'CN=ca', from: NOW - DAY, to: NOW + 60 * DAY },
    ]),
    privateFiles: seeing([{ file: '/state/row.key', mode: 0o600 }]),
    logs: seeing([{ name: 'kernel', file: '/state/logs/kernel.log', errors: [] }]),
    signers: seeing({ file: '/signers.json', differences: [] }),
    program: seeing({ node: '24.9.0', leastNode: '>=24.9', build: { digest: 'abc', movedOn: false } }),
    ...change,
  };
}

/** Healthy, but for the metrics of one more process. */
export function withMetrics(name: string, metrics: string, earlier?: string): Facts {
  const facts = healthyFacts();
  const added = endpoint(name, metrics, earlier === undefined ? {} : { earlier: parseMetrics(earlier) });
  if (facts.endpoints.kind !== 'seen') throw new Error('the fixture has endpoints');
  return { ...facts, endpoints: seeing([...facts.endpoints.value, added]) };
}
