import { type Alert } from './alert.types';

/** Processes without which a part of the kernel does not work; a witness runs where others want it. */
const NECESSARY = [
  'kernel',
  'signing-proxy',
  'outbox-relay',
  'indexer',
  'archiver',
  'log-publisher',
  'auditor',
];

export const AVAILABILITY_ALERTS: readonly Alert[] = [
  {
    name: 'KernelComponentGone',
    area: 'availability',
    severity: 'page',
    // With equality matchers absent() says of what.
    expr: [
      'max by (component) (up{$scope, component!=""}) == 0',
      ...NECESSARY.map((component) => `sum by (component) (absent(up{$scope, component="${component}"}))`),
    ].join(' or '),
    for: '2m',
    summary: 'No {{ $labels.component }} answers Prometheus.',
  },
  {
    name: 'KernelProcessDown',
    area: 'availability',
    severity: 'ticket',
    expr: 'up{$scope, component!=""} == 0',
    for: '5m',
    summary: '{{ $labels.component }} {{ $labels.instance }} has not answered Prometheus for 5 minutes.',
  },
  {
    name: 'KernelProcessRestarts',
    area: 'availability',
    severity: 'ticket',
    expr: 'changes(process_start_time_seconds{$scope, component!=""}[30m]) > 2',
    summary: '{{ $labels.component }} {{ $labels.instance }} was started {{ $value }} times in 30 minutes.',
  },
  {
    name: 'KernelNotInNormalMode',
    area: 'availability',
    severity: 'page',
    expr: 'max by (mode) (kernel_mode{$scope, mode!="normal"}) == 1',
    for: '1m',
    summary: 'The kernel is in the mode {{ $labels.mode }}: nothing is written.',
  },
  {
    name: 'KernelModeChangeUnrecorded',
    area: 'availability',
    severity: 'ticket',
    expr: 'max(kernel_mode_changes_unrecorded{$scope}) > 0',
    for: '1h',
    summary: 'Changes of the mode are not in the chain after an hour, because nothing can be signed.',
  },
  {
    name: 'KernelAppendsFail',
    area: 'availability',
    severity: 'page',
    // What a caller did wrong is no failure of the kernel.
    expr: 'sum by (code) (rate(audit_append_refusals_total{$scope, code=~"store_unavailable|signing_unavailable|queue_full|contended|not_migrated|chain_mismatch|store_behind"}[5m])) > 0',
    for: '5m',
    summary: 'Writes have been refused for 5 minutes: {{ $labels.code }}.',
  },
  {
    name: 'KernelClockAhead',
    area: 'availability',
    severity: 'ticket',
    expr: 'max by (component, instance) (audit_clock_ahead_seconds{$scope}) > 10',
    for: '2m',
    summary:
      'The clock of {{ $labels.instance }} is {{ $value }} s ahead of the database; it stops writing at KERNEL_MAX_CLOCK_JUMP_SECONDS.',
  },
];
