import { type Board, of, quantile, quantiles, rate, sumBy, within } from '../board';

const API = 'component="kernel"';
const failed = sumBy('', rate('http_requests_total', API, 'status=~"5.."'));

export const overview: Board = {
  name: 'overview',
  title: 'Kernel: overview',
  panels: [
    {
      title: 'Mode',
      description: 'The mode that the kernels are in; anything but normal refuses writes.',
      unit: 'short',
      kind: 'stat',
      queries: [{ expr: `max by (mode) (${of('kernel_mode')}) == 1`, legend: '{{mode}}' }],
    },
    {
      title: 'Processes that answer',
      unit: 'short',
      queries: [{ expr: sumBy('component', of('up')), legend: '{{component}}' }],
    },
    {
      title: 'Starts in the last hour',
      description: 'How often processes were started again.',
      unit: 'short',
      queries: [
        {
          expr: sumBy('component', `changes(${of('process_start_time_seconds')}[1h])`),
          legend: '{{component}}',
        },
      ],
    },
    {
      title: 'Requests',
      unit: 'reqps',
      queries: [{ expr: sumBy('route', rate('http_requests_total', API)), legend: '{{route}}' }],
    },
    {
      title: 'Requests answered with 5xx',
      unit: 'percentunit',
      queries: [
        {
          expr: `(${failed} or vector(0)) / ${sumBy('', rate('http_requests_total', API))}`,
          legend: 'part of all',
        },
      ],
    },
    { title: 'Time of requests', unit: 's', queries: quantiles('http_request_duration_seconds', API) },
    {
      title: 'Requests answered within 200 ms',
      unit: 'percentunit',
      queries: [{ expr: within('0.2', 'http_request_duration_seconds', API), legend: 'part of all' }],
    },
    {
      title: 'Signatures',
      unit: 'ops',
      queries: [{ expr: sumBy('purpose', rate('signatures_total')), legend: '{{purpose}}' }],
    },
    {
      title: 'Time of an append (p95)',
      unit: 's',
      queries: [{ expr: quantile(0.95, 'audit_append_duration_seconds'), legend: 'p95' }],
    },
    {
      title: 'Age of what waits, by stage',
      unit: 's',
      queries: [{ expr: `max by (stage) (${of('kernel_pipeline_lag_seconds')})`, legend: '{{stage}}' }],
    },
    {
      title: 'Age of the newest checkpoint',
      unit: 's',
      queries: [
        { expr: `max by (shard) (${of('log_publisher_checkpoint_age_seconds')})`, legend: 'shard {{shard}}' },
      ],
    },
    {
      title: 'Since the last clean audit',
      unit: 's',
      kind: 'stat',
      queries: [
        {
          expr: `time() - max(${of('auditor_last_clean_run_timestamp_seconds')} > 0)`,
          legend: 'age',
          quiet: 'no audit yet',
        },
      ],
    },
    {
      title: 'Until the first certificate ends',
      unit: 's',
      kind: 'stat',
      queries: [
        {
          expr: `min by (use) (${of('tls_certificate_expiry_timestamp_seconds')}) - time()`,
          legend: '{{use}}',
        },
      ],
    },
    {
      title: 'Integrity',
      description: 'Contradictions to the chain. Any is an incident.',
      unit: 'short',
      queries: [
        {
          expr: sumBy('kind', `increase(${of('audit_integrity_failures_total')}[1h])`),
          legend: '{{kind}}',
          quiet: 'nothing contradicts the chain',
        },
        {
          expr: sumBy('where', `increase(${of('kernel_integrity_faults_total')}[1h])`),
          legend: 'row in {{where}}',
          quiet: 'no row is foreign',
        },
      ],
    },
  ],
};
