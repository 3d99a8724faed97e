import { type Alert } from './alert.types';

export const PIPELINE_ALERTS: readonly Alert[] = [
  {
    name: 'KernelRelayBehind',
    area: 'pipeline',
    severity: 'ticket',
    // What shows that Kafka is away: the kernel stays in service, because it commits to PostgreSQL (ADR 199).
    expr: 'max by (shard) (kernel_pipeline_lag_seconds{$scope, stage="relay"}) > 120',
    for: '5m',
    labels: { component: 'outbox-relay' },
    summary:
      'Events of shard {{ $labels.shard }} have not reached the stream for {{ $value | humanizeDuration }}.',
  },
  {
    name: 'KernelRelayWithoutLeader',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'max by (shard) (kernel_relay_leader{$scope}) < 1',
    for: '2m',
    labels: { component: 'outbox-relay' },
    summary: 'No relay publishes shard {{ $labels.shard }}.',
  },
  {
    name: 'KernelArchiveFails',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'sum by (kind) (increase(archiver_upload_failures_total{$scope}[5m])) > 0 or sum by (kind) (increase(archiver_legal_hold_failures_total{$scope}[5m])) > 0',
    for: '5m',
    labels: { component: 'archiver' },
    summary: 'The archive has refused objects or holds for 5 minutes ({{ $labels.kind }}).',
  },
  {
    name: 'KernelDayWithoutManifest',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'max by (shard) (archiver_day_manifest_age_seconds{$scope}) > 6 * 3600',
    labels: { component: 'archiver' },
    summary:
      'A day of shard {{ $labels.shard }} ended {{ $value | humanizeDuration }} ago and has no signed manifest.',
  },
  {
    name: 'KernelLogPublishingFails',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'sum by (shard, kind) (increase(log_publisher_failures_total{$scope}[5m])) > 0',
    for: '5m',
    labels: { component: 'log-publisher' },
    summary: 'Checkpoints of shard {{ $labels.shard }} have failed for 5 minutes ({{ $labels.kind }}).',
  },
  {
    name: 'KernelLogWithoutLeader',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'max by (shard) (log_publisher_leader{$scope}) < 1',
    for: '2m',
    labels: { component: 'log-publisher' },
    summary: 'No process publishes the log of shard {{ $labels.shard }}.',
  },
  {
    name: 'KernelWitnessAway',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'sum by (witness) (increase(log_publisher_cosigning_failures_total{$scope}[30m])) > 0 unless sum by (witness) (increase(log_publisher_cosignatures_total{$scope}[30m])) > 0',
    for: '10m',
    labels: { component: 'log-publisher' },
    summary: 'The witness {{ $labels.witness }} has cosigned nothing for 30 minutes.',
  },
  {
    name: 'KernelTracesNotSent',
    area: 'pipeline',
    severity: 'ticket',
    expr: 'sum by (component) (increase(kernel_trace_spans_total{$scope, result="lost"}[15m])) > 0',
    for: '15m',
    summary: 'The collector does not take the spans of {{ $labels.component }}.',
  },
];
