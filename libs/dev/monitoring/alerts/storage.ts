import { type Alert } from './alert.types';

export const STORAGE_ALERTS: readonly Alert[] = [
  {
    name: 'KernelPartitionsNotMade',
    area: 'storage',
    severity: 'ticket',
    expr: 'sum by (component, instance) (increase(kernel_partition_failures_total{$scope}[30m])) > 0',
    summary: 'Partitions of the event log cannot be made; {{ $labels.instance }} says why.',
  },
  {
    name: 'KernelPartitionRoomEnds',
    area: 'storage',
    severity: 'page',
    // Six hours at the rate of the last one.
    expr: 'min by (shard) (kernel_partition_room_events{$scope}) < 6 * 3600 * sum by (shard) (rate(audit_events_total{$scope}[1h]))',
    for: '5m',
    summary: 'Shard {{ $labels.shard }} has room for {{ $value }} more events, which is less than six hours.',
  },
  {
    name: 'KernelPostgresReplicaBehind',
    area: 'storage',
    severity: 'ticket',
    expr: 'max by (replica) (kernel_postgres_replication_lag_seconds{$scope}) > 30',
    for: '5m',
    summary: 'The replica {{ $labels.replica }} is {{ $value | humanizeDuration }} behind.',
  },
  {
    name: 'KernelTransactionIdsOld',
    area: 'storage',
    severity: 'ticket',
    // autovacuum_freeze_max_age is 200 million; autovacuum has not kept up.
    expr: 'max(kernel_postgres_transaction_id_age{$scope}) > 500000000',
    for: '1h',
    summary: 'The oldest transaction id is {{ $value | humanize }} old; PostgreSQL stops writing at 2.1 G.',
  },
  {
    name: 'KernelTransactionIdsOld',
    area: 'storage',
    severity: 'page',
    expr: 'max(kernel_postgres_transaction_id_age{$scope}) > 1500000000',
    for: '5m',
    summary: 'The oldest transaction id is {{ $value | humanize }} old; PostgreSQL stops writing at 2.1 G.',
  },
  {
    name: 'KernelDiskFills',
    area: 'storage',
    severity: 'ticket',
    expr: 'min by (component, what) (kernel_state_filesystem_free_ratio{$scope}) < 0.15',
    for: '15m',
    summary:
      '{{ $value | humanizePercentage }} of the disk of {{ $labels.what }} ({{ $labels.component }}) are free.',
  },
  {
    name: 'KernelDiskFills',
    area: 'storage',
    severity: 'page',
    expr: 'min by (component, what) (kernel_state_filesystem_free_ratio{$scope}) < 0.05',
    for: '1m',
    summary:
      '{{ $value | humanizePercentage }} of the disk of {{ $labels.what }} ({{ $labels.component }}) are free.',
  },
];
