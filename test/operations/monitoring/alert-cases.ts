import { type RuleCase, series, type Series } from './rule-case';

type Labels = Readonly<Record<string, string>>;

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** One alert: series with which it fires, and similar ones with which it does not. */
function both(
  alert: string,
  severity: RuleCase['severity'],
  at: string,
  fires: readonly Labels[],
  bad: readonly Series[],
  good: readonly Series[],
  more: Partial<RuleCase> = {},
): RuleCase[] {
  return [
    { alert, severity, at, fires, series: bad, ...more },
    { alert, severity, at, fires: [], series: good },
  ];
}

/** A gauge that is over its bound, and one that is at it. */
function gauge(
  alert: string,
  severity: RuleCase['severity'],
  [name, labels]: readonly [name: string, labels: Labels],
  [bad, good]: readonly [bad: number, good: number],
  fires: readonly Labels[],
  at = '10m',
): RuleCase[] {
  const always = (value: number): Series => series(name, labels, `${value}x90`);
  return both(alert, severity, at, fires, [always(bad)], [always(good)]);
}

/** A counter of what must never happen: it fires when it grows, when it begins above 0, and not because it has a value. */
function never(alert: string, name: string, labels: Labels, fires: Labels): RuleCase[] {
  return [
    {
      alert,
      severity: 'page',
      what: 'grown',
      at: '12m',
      fires: [fires],
      series: [series(name, labels, '0x10 1x10')],
    },
    {
      alert,
      severity: 'page',
      what: 'begun',
      at: '12m',
      fires: [fires],
      series: [series(name, labels, '_x10 1x10')],
    },
    {
      alert,
      severity: 'page',
      what: 'as before',
      at: '80m',
      fires: [],
      series: [series(name, labels, '3x90')],
    },
  ];
}

const component = (name: string): Labels => ({ component: name, instance: `${name}-0` });
const ALL = ['kernel', 'signing-proxy', 'outbox-relay', 'indexer', 'archiver', 'log-publisher', 'auditor'];
const running = ALL.map((name) => series('up', component(name), '1x30'));
/** A counter of failures that goes on, and one that has stopped. */
const failing = (name: string, labels: Labels): [Series[], Series[]] => [
  [series(name, labels, '0+1x60')],
  [series(name, labels, '7x60')],
];

const backend = (outcome: string, perMinute: number): Series =>
  series('signing_proxy_backend_duration_seconds_count', { backend: 'kms', outcome }, `0+${perMinute}x30`);
const backendWithin = (le: string, perMinute: number): Series =>
  series(
    'signing_proxy_backend_duration_seconds_bucket',
    { backend: 'kms', outcome: 'signed', le },
    `0+${perMinute}x30`,
  );

export const ALERT_CASES: readonly RuleCase[] = [
  ...never('KernelIntegrityFault', 'kernel_integrity_faults_total', { where: 'head' }, { where: 'head' }),
  ...gauge('KernelKeyEventsRefused', 'page', ['kernel_key_events_refused', {}], [1, 0], [{}]),
  ...never(
    'KernelSignatureMismatch',
    'audit_integrity_failures_total',
    { ...component('indexer'), shard: '0', kind: 'signature' },
    { component: 'indexer', shard: '0' },
  ),
  ...never(
    'KernelShardStopped',
    'audit_integrity_failures_total',
    { ...component('archiver'), shard: '1', kind: 'gap' },
    { component: 'archiver', shard: '1', kind: 'gap' },
  ),
  ...gauge(
    'KernelAuditFindings',
    'page',
    ['auditor_last_run_findings', { kind: 'archive_missing' }],
    [2, 0],
    [{ kind: 'archive_missing' }],
  ),
  ...never('KernelAuditFindings', 'auditor_spot_check_findings_total', { kind: 'hash' }, { kind: 'hash' }),
  ...never(
    'KernelSigningRefusedAsFork',
    'signing_proxy_refusals_total',
    { reason: 'position_ahead' },
    { reason: 'position_ahead' },
  ),
  {
    alert: 'KernelSigningRefusedAsFork',
    severity: 'page',
    what: 'another refusal',
    at: '10m',
    fires: [],
    series: [series('signing_proxy_refusals_total', { reason: 'rate_limited' }, '0+5x20')],
  },
  ...gauge(
    'KernelLogInconsistent',
    'page',
    ['witness_log_inconsistent', { log: 'kernel/0' }],
    [1, 0],
    [{ log: 'kernel/0' }],
  ),

  ...both(
    'KernelComponentGone',
    'page',
    '5m',
    [{ component: 'indexer' }],
    running.map((one) => (one.labels['component'] === 'indexer' ? { ...one, values: '0x30' } : one)),
    // One of two is enough.
    [...running, series('up', { component: 'indexer', instance: 'indexer-1' }, '0x30')],
    { byAbsence: true },
  ),
  {
    alert: 'KernelComponentGone',
    severity: 'page',
    what: 'not even a target is left',
    at: '5m',
    fires: [{ component: 'archiver' }],
    series: running.filter(({ labels }) => labels['component'] !== 'archiver'),
    byAbsence: true,
  },
  ...both(
    'KernelProcessDown',
    'ticket',
    '8m',
    [component('indexer')],
    [series('up', component('indexer'), '0x30')],
    [series('up', component('indexer'), '0 0 0 1x30')],
  ),
  ...both(
    'KernelProcessRestarts',
    'ticket',
    '20m',
    [component('kernel')],
    [series('process_start_time_seconds', component('kernel'), '0x3 200x3 400x3 600x20')],
    [series('process_start_time_seconds', component('kernel'), '0x3 200x30')],
  ),
  ...gauge(
    'KernelNotInNormalMode',
    'page',
    ['kernel_mode', { mode: 'safe-mode' }],
    [1, 0],
    [{ mode: 'safe-mode' }],
  ),
  ...gauge(
    'KernelModeChangeUnrecorded',
    'ticket',
    ['kernel_mode_changes_unrecorded', {}],
    [1, 0],
    [{}],
    '70m',
  ),
  ...both(
    'KernelAppendsFail',
    'page',
    '15m',
    [{ code: 'store_unavailable' }],
    [series('audit_append_refusals_total', { code: 'store_unavailable' }, '0+1x30')],
    // What a caller did wrong.
    [series('audit_append_refusals_total', { code: 'version_conflict' }, '0+9x30')],
  ),
  ...gauge(
    'KernelClockAhead',
    'ticket',
    ['audit_clock_ahead_seconds', component('kernel')],
    [11, 10],
    [component('kernel')],
  ),

  ...gauge(
    'KernelSigningBackendAway',
    'page',
    ['signing_proxy_backend_circuit_open', { backend: 'kms' }],
    [1, 0],
    [{ backend: 'kms' }],
  ),
  ...both(
    'KernelSigningBackendErrors',
    'page',
    '10m',
    [{ backend: 'kms' }],
    [backend('signed', 90), backend('timeout', 10)],
    [backend('signed', 99), backend('failed', 1)],
  ),
  ...both(
    'KernelSignerSlow',
    'ticket',
    '20m',
    [{ backend: 'kms' }],
    [backendWithin('0.1', 50), backendWithin('0.25', 100), backendWithin('+Inf', 100)],
    [backendWithin('0.1', 99), backendWithin('0.25', 100), backendWithin('+Inf', 100)],
  ),
  ...gauge(
    'KernelKeyRotationDue',
    'ticket',
    ['kernel_key_rotation_due', { kid: 'audit-1' }],
    [1, 0],
    [{ kid: 'audit-1' }],
  ),
  ...gauge(
    'KernelCertificateNotRenewed',
    'page',
    ['tls_certificate_expiry_timestamp_seconds', { component: 'kernel', use: 'api', subject: 'CN=kernel' }],
    [12 * HOUR, 24 * HOUR],
    [{ component: 'kernel', use: 'api', subject: 'CN=kernel' }],
  ),
  ...gauge(
    'KernelRevocationListEnding',
    'ticket',
    [
      'tls_revocation_list_expiry_timestamp_seconds',
      { component: 'kernel', use: 'api', subject: 'CN=callers' },
    ],
    [6 * HOUR, 24 * HOUR],
    [{ component: 'kernel', use: 'api', subject: 'CN=callers' }],
  ),
  ...gauge(
    'KernelTlsFilesRefused',
    'ticket',
    ['tls_files_refused', { component: 'kernel', use: 'api' }],
    [1, 0],
    [{ component: 'kernel', use: 'api' }],
  ),
  ...gauge(
    'KernelSecretRefused',
    'ticket',
    ['secret_file_refused', { component: 'kernel', setting: 'DATABASE_URL_FILE' }],
    [1, 0],
    [{ component: 'kernel', setting: 'DATABASE_URL_FILE' }],
  ),
  ...gauge(
    'KernelVaultTokenEnding',
    'page',
    ['kernel_vault_token_expiry_timestamp_seconds', { component: 'signing-proxy' }],
    [1_200, 3 * HOUR],
    [{ component: 'signing-proxy' }],
  ),

  ...gauge(
    'KernelRelayBehind',
    'ticket',
    ['kernel_pipeline_lag_seconds', { stage: 'relay', shard: '0' }],
    [121, 120],
    [{ shard: '0', component: 'outbox-relay' }],
  ),
  ...both(
    'KernelRelayWithoutLeader',
    'ticket',
    '10m',
    [{ shard: '0' }],
    [
      series('kernel_relay_leader', { shard: '0', instance: 'a' }, '0x20'),
      series('kernel_relay_leader', { shard: '0', instance: 'b' }, '0x20'),
    ],
    [
      series('kernel_relay_leader', { shard: '0', instance: 'a' }, '0x20'),
      series('kernel_relay_leader', { shard: '0', instance: 'b' }, '1x20'),
    ],
  ),
  ...both(
    'KernelArchiveFails',
    'ticket',
    '20m',
    [{ kind: 'forbidden' }],
    ...failing('archiver_upload_failures_total', { kind: 'forbidden' }),
  ),
  ...both(
    'KernelArchiveFails',
    'ticket',
    '20m',
    [{ kind: 'unavailable' }],
    ...failing('archiver_legal_hold_failures_total', { kind: 'unavailable' }),
  ),
  ...gauge(
    'KernelDayWithoutManifest',
    'ticket',
    ['archiver_day_manifest_age_seconds', { shard: '0' }],
    [6 * HOUR + 1, 6 * HOUR],
    [{ shard: '0' }],
  ),
  ...both(
    'KernelLogPublishingFails',
    'ticket',
    '20m',
    [{ shard: '0', kind: 'signing' }],
    ...failing('log_publisher_failures_total', { shard: '0', kind: 'signing' }),
  ),
  ...gauge(
    'KernelLogWithoutLeader',
    'ticket',
    ['log_publisher_leader', { shard: '0' }],
    [0, 1],
    [{ shard: '0' }],
  ),
  ...both(
    'KernelWitnessAway',
    'ticket',
    '45m',
    [{ witness: 'w1' }],
    [
      series('log_publisher_cosigning_failures_total', { witness: 'w1' }, '0+1x60'),
      series('log_publisher_cosignatures_total', { witness: 'w1' }, '9x60'),
    ],
    // One of several checkpoints.
    [
      series('log_publisher_cosigning_failures_total', { witness: 'w1' }, '0+1x60'),
      series('log_publisher_cosignatures_total', { witness: 'w1' }, '0+3x60'),
    ],
  ),
  ...both(
    'KernelTracesNotSent',
    'ticket',
    '40m',
    [{ component: 'kernel' }],
    ...failing('kernel_trace_spans_total', { ...component('kernel'), result: 'lost' }),
  ),

  ...both(
    'KernelPartitionsNotMade',
    'ticket',
    '20m',
    [component('kernel')],
    ...failing('kernel_partition_failures_total', component('kernel')),
  ),
  ...both(
    'KernelPartitionRoomEnds',
    'page',
    '80m',
    [{ shard: '0' }],
    [
      series('kernel_partition_room_events', { shard: '0' }, '300000x90'),
      series('audit_events_total', { shard: '0' }, '0+1000x90'),
    ],
    [
      series('kernel_partition_room_events', { shard: '0' }, '400000x90'),
      series('audit_events_total', { shard: '0' }, '0+1000x90'),
    ],
  ),
  ...gauge(
    'KernelPostgresReplicaBehind',
    'ticket',
    ['kernel_postgres_replication_lag_seconds', { replica: 'b' }],
    [31, 30],
    [{ replica: 'b' }],
  ),
  ...gauge(
    'KernelTransactionIdsOld',
    'ticket',
    ['kernel_postgres_transaction_id_age', {}],
    [6e8, 4e8],
    [{}],
    '70m',
  ),
  ...gauge('KernelTransactionIdsOld', 'page', ['kernel_postgres_transaction_id_age', {}], [1.6e9, 6e8], [{}]),
  ...gauge(
    'KernelDiskFills',
    'ticket',
    ['kernel_state_filesystem_free_ratio', { component: 'archiver', what: 'archive' }],
    [0.14, 0.15],
    [{ component: 'archiver', what: 'archive' }],
    '20m',
  ),
  ...gauge(
    'KernelDiskFills',
    'page',
    ['kernel_state_filesystem_free_ratio', { component: 'archiver', what: 'archive' }],
    [0.04, 0.14],
    [{ component: 'archiver', what: 'archive' }],
  ),

  ...gauge('KernelUpgradeUnratified', 'ticket', ['kernel_upgrades_unratified', {}], [1, 0], [{}]),
  ...never(
    'KernelUpgradeAlarm',
    'kernel_upgrade_alarms_total',
    { kind: 'rollback_required' },
    { kind: 'rollback_required' },
  ),
  ...gauge('KernelUpgradeOverdue', 'ticket', ['kernel_upgrades_overdue', {}], [1, 0], [{}], '20m'),
  ...gauge(
    'KernelNotificationsDead',
    'ticket',
    ['kernel_notifications_undelivered', { endpoint: 'on-call', state: 'dead' }],
    [1, 0],
    [{ endpoint: 'on-call' }],
  ),
  ...gauge(
    'KernelNotificationsBehind',
    'ticket',
    ['kernel_notifications_oldest_pending_seconds', { endpoint: 'on-call' }],
    [901, 900],
    [{ endpoint: 'on-call' }],
  ),
  ...gauge(
    'KernelWebhookDead',
    'ticket',
    ['kernel_webhook_undelivered', { webhook: 'w', state: 'dead' }],
    [1, 0],
    [{ webhook: 'w' }],
  ),
  ...gauge(
    'KernelWebhookBehind',
    'ticket',
    ['kernel_webhook_behind_events', { webhook: 'w' }],
    [10_001, 10_000],
    [{ webhook: 'w' }],
    '20m',
  ),
  ...both(
    'KernelIdentityProviderUnknown',
    'ticket',
    '30m',
    [{}],
    [
      series('kernel_oidc_provider_known', {}, '0x90'),
      series('kernel_oidc_failures_total', { request: 'discovery' }, '0+1x90'),
    ],
    // Nobody signs in here.
    [series('kernel_oidc_provider_known', {}, '0x90')],
  ),

  // Timestamps before the tests' time 0.
  ...both(
    'KernelAuditOverdue',
    'ticket',
    '1500m',
    [{}],
    [series('auditor_last_clean_run_timestamp_seconds', component('auditor'), '-86400x1600')],
    // Another process has taken over and knows of no audit yet.
    [
      series('auditor_last_clean_run_timestamp_seconds', component('auditor'), '60000x1200'),
      series('auditor_last_clean_run_timestamp_seconds', { instance: 'auditor-1' }, '_x1200 0x400'),
    ],
  ),
  ...gauge(
    'KernelBackupOverdue',
    'ticket',
    ['kernel_backup_last_base_timestamp_seconds', {}],
    [-26 * HOUR, -24 * HOUR],
    [{}],
    '40m',
  ),
  ...gauge(
    'KernelWalBackupBehind',
    'page',
    ['kernel_backup_last_wal_timestamp_seconds', {}],
    [-900, 0],
    [{}],
  ),
  ...gauge(
    'KernelDrillDue',
    'ticket',
    ['kernel_drill_last_completed_timestamp_seconds', { drill: 'restore' }],
    [-36 * DAY, -34 * DAY],
    [{ drill: 'restore' }],
    '70m',
  ),
  ...gauge(
    'KernelDrillDue',
    'ticket',
    ['kernel_drill_last_completed_timestamp_seconds', { drill: 'kms' }],
    [-101 * DAY, -99 * DAY],
    [{ drill: 'kms' }],
    '70m',
  ),
];
