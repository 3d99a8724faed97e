import { type Alert } from './alert.types';

/** What has to be done again and again, and was not. */
export const DUTY_ALERTS: readonly Alert[] = [
  {
    name: 'KernelAuditOverdue',
    area: 'duties',
    severity: 'ticket',
    // Audits are daily. An auditor that was just started knows of none, and what it said before counts; a new kernel has a day.
    expr: 'time() - max(max_over_time(auditor_last_clean_run_timestamp_seconds{$scope}[2d])) > 86400',
    for: '1d',
    summary: 'The last clean audit is {{ $value | humanizeDuration }} old.',
  },
  {
    name: 'KernelBackupOverdue',
    area: 'duties',
    severity: 'ticket',
    expr: 'time() - max(kernel_backup_last_base_timestamp_seconds{$scope}) > 26 * 3600',
    for: '30m',
    summary: 'The newest base backup is {{ $value | humanizeDuration }} old.',
  },
  {
    name: 'KernelWalBackupBehind',
    area: 'duties',
    severity: 'page',
    // A restore from the backup alone would lose as much.
    expr: 'time() - max(kernel_backup_last_wal_timestamp_seconds{$scope}) > 900',
    for: '5m',
    summary: 'The newest WAL in the backup is {{ $value | humanizeDuration }} old.',
  },
  {
    name: 'KernelDrillDue',
    area: 'duties',
    severity: 'ticket',
    expr: 'time() - max by (drill) (kernel_drill_last_completed_timestamp_seconds{$scope, drill="restore"}) > 35 * 86400 or time() - max by (drill) (kernel_drill_last_completed_timestamp_seconds{$scope, drill!="restore"}) > 100 * 86400',
    for: '1h',
    summary: 'The drill {{ $labels.drill }} was last done {{ $value | humanizeDuration }} ago.',
  },
];
