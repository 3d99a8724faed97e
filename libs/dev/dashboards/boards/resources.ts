import { type Board, of, rate, sumBy } from '../board';

const BY = 'component, instance';
const WHO = '{{component}} {{instance}}';

export const resources: Board = {
  name: 'resources',
  title: 'Kernel: resources',
  panels: [
    {
      title: 'CPU',
      description: 'Cores in use.',
      unit: 'short',
      queries: [{ expr: sumBy(BY, rate('process_cpu_seconds_total')), legend: WHO }],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      queries: [{ expr: sumBy(BY, of('process_resident_memory_bytes')), legend: WHO }],
    },
    {
      title: 'Delay of the event loop (p99)',
      unit: 's',
      queries: [{ expr: `max by (${BY}) (${of('nodejs_eventloop_lag_p99_seconds')})`, legend: WHO }],
    },
    {
      title: 'Garbage collection',
      description: 'Part of the time.',
      unit: 'percentunit',
      queries: [{ expr: sumBy(BY, rate('nodejs_gc_duration_seconds_sum')), legend: WHO }],
    },
    {
      title: 'Open files',
      description: 'Part of what the process may open.',
      unit: 'percentunit',
      queries: [
        {
          expr: `max by (${BY}) (${of('process_open_fds')} / ${of('process_max_fds')})`,
          legend: WHO,
        },
      ],
    },
    {
      title: 'Requests in flight',
      unit: 'short',
      queries: [{ expr: sumBy(BY, of('http_requests_in_flight')), legend: WHO }],
    },
    {
      title: 'Connections to PostgreSQL in use',
      description: 'Part of what the pool may open.',
      unit: 'percentunit',
      queries: [
        {
          expr: `max by (pool, instance) (${of('kernel_postgres_pool_in_use')} / ${of('kernel_postgres_pool_size')})`,
          legend: '{{pool}} {{instance}}',
        },
      ],
    },
    {
      title: 'Who waits for a connection',
      unit: 'short',
      queries: [
        {
          expr: sumBy('pool, instance', of('kernel_postgres_pool_waiting')),
          legend: '{{pool}} {{instance}}',
        },
      ],
    },
    {
      title: 'Age of transaction ids',
      unit: 'short',
      queries: [
        { expr: `max(${of('kernel_postgres_transaction_id_age')})`, legend: 'age' },
        { expr: `max(${of('kernel_postgres_transaction_id_freeze_age')})`, legend: 'freezes by itself from' },
      ],
    },
    {
      title: 'Delay of replicas',
      unit: 's',
      queries: [
        {
          expr: `max by (replica) (${of('kernel_postgres_replication_lag_seconds')})`,
          legend: '{{replica}}',
          quiet: 'no replica, or the role may not see it',
        },
      ],
    },
    {
      title: 'Replicas',
      unit: 'short',
      queries: [
        { expr: `max(${of('kernel_postgres_replication_visible')})`, legend: 'may be seen' },
        {
          expr: `max(${of('kernel_postgres_replicas')})`,
          legend: 'connected',
          quiet: 'the role may not see them',
        },
      ],
    },
    {
      title: 'Free part of disks',
      unit: 'percentunit',
      queries: [
        {
          expr: `min by (what, instance) (${of('kernel_state_filesystem_free_ratio')})`,
          legend: '{{what}} {{instance}}',
        },
      ],
    },
    {
      title: 'Until certificates end',
      unit: 's',
      queries: [
        {
          expr: `min by (use, subject) (${of('tls_certificate_expiry_timestamp_seconds')}) - time()`,
          legend: '{{use}} {{subject}}',
        },
      ],
    },
    {
      title: 'Files that cannot be used',
      unit: 'short',
      queries: [
        { expr: `max by (use) (${of('tls_files_refused')})`, legend: 'TLS {{use}}' },
        {
          expr: `max by (setting) (${of('secret_file_refused')})`,
          legend: 'secret {{setting}}',
          quiet: 'no secret is in a file',
        },
      ],
    },
    {
      title: 'Connections refused',
      unit: 'ops',
      queries: [
        { expr: sumBy(BY, rate('tls_handshake_failures_total')), legend: `${WHO} TLS` },
        {
          expr: sumBy(`${BY}, status`, rate('http_malformed_requests_total')),
          legend: `${WHO} {{status}}`,
          quiet: 'all that comes is HTTP',
        },
      ],
    },
    {
      title: 'Spans',
      unit: 'ops',
      queries: [{ expr: sumBy('result', rate('kernel_trace_spans_total')), legend: '{{result}}' }],
    },
  ],
};
