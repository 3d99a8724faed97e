import { type Alert } from './alert.types';
import { risen } from './risen';

/** Each of them pages at once: what is wrong does not mend itself, and evidence is at stake. */
export const INTEGRITY_ALERTS: readonly Alert[] = [
  {
    name: 'KernelIntegrityFault',
    area: 'integrity',
    severity: 'page',
    expr: risen('where', 'kernel_integrity_faults_total{$scope}', '1h'),
    summary: 'The database has rows that no kernel wrote ({{ $labels.where }}).',
  },
  {
    name: 'KernelKeyEventsRefused',
    area: 'integrity',
    severity: 'page',
    expr: 'max(kernel_key_events_refused{$scope}) > 0',
    summary: 'Rows of the event table say that they change the keys, and no key signed them.',
  },
  {
    name: 'KernelSignatureMismatch',
    area: 'integrity',
    severity: 'page',
    expr: risen('component, shard', 'audit_integrity_failures_total{$scope, kind="signature"}', '1h'),
    summary:
      '{{ $labels.component }} met an event of shard {{ $labels.shard }} whose signature does not fit, and stopped there.',
  },
  {
    name: 'KernelShardStopped',
    area: 'integrity',
    severity: 'page',
    expr: risen('component, shard, kind', 'audit_integrity_failures_total{$scope, kind!="signature"}', '1h'),
    summary: '{{ $labels.component }} stopped shard {{ $labels.shard }}: {{ $labels.kind }}.',
  },
  {
    name: 'KernelAuditFindings',
    area: 'integrity',
    severity: 'page',
    expr: `sum by (kind) (auditor_last_run_findings{$scope}) > 0 or ${risen('kind', 'auditor_spot_check_findings_total{$scope}', '1h')}`,
    summary: 'An audit found {{ $value }} of the kind {{ $labels.kind }}.',
  },
  {
    name: 'KernelSigningRefusedAsFork',
    area: 'integrity',
    severity: 'page',
    expr: risen(
      'reason',
      'signing_proxy_refusals_total{$scope, reason=~"below_high_water_mark|position_ahead|checkpoint_conflict|unknown_shard"}',
      '15m',
    ),
    summary:
      'The signing proxy was asked to sign another history than it signed before ({{ $labels.reason }}).',
  },
  {
    name: 'KernelLogInconsistent',
    area: 'integrity',
    severity: 'page',
    expr: 'max by (log) (witness_log_inconsistent{$scope}) > 0',
    summary: 'A witness has seen two roots of one size of {{ $labels.log }}, both signed.',
  },
];
