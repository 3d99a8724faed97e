import { type Board, of, quantile, quantiles, rate, sumBy } from '../board';

export const log: Board = {
  name: 'log',
  title: 'Kernel: log, witnesses and audits',
  panels: [
    {
      title: 'Age of the newest checkpoint',
      unit: 's',
      queries: [
        { expr: `max by (shard) (${of('log_publisher_checkpoint_age_seconds')})`, legend: 'shard {{shard}}' },
      ],
    },
    {
      title: 'Checkpoints published',
      unit: 'ops',
      queries: [{ expr: sumBy('shard', rate('log_publisher_checkpoints_total')), legend: 'shard {{shard}}' }],
    },
    {
      title: 'From the event to its checkpoint',
      unit: 's',
      queries: quantiles('log_publisher_commit_to_published_seconds'),
    },
    {
      title: 'Size of the log',
      unit: 'short',
      queries: [
        {
          expr: `max by (shard) (${of('log_publisher_published_size')})`,
          legend: 'published, shard {{shard}}',
        },
        {
          expr: `max by (shard) (${of('signing_proxy_checkpoint_size')})`,
          legend: 'signed, shard {{shard}}',
        },
      ],
    },
    {
      title: 'Tiles and bundles written',
      unit: 'ops',
      queries: [{ expr: sumBy('shard', rate('log_publisher_objects_total')), legend: 'shard {{shard}}' }],
    },
    {
      title: 'Publishers',
      description: 'Exactly one for each shard.',
      unit: 'short',
      queries: [{ expr: sumBy('shard', of('log_publisher_leader')), legend: 'shard {{shard}}' }],
    },
    {
      title: 'Checkpoints that failed',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('kind', rate('log_publisher_failures_total')),
          legend: '{{kind}}',
          quiet: 'nothing fails',
        },
      ],
    },
    {
      title: 'Cosignatures',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('witness', rate('log_publisher_cosignatures_total')),
          legend: '{{witness}}',
          quiet: 'no witness is asked',
        },
        {
          expr: sumBy('witness', rate('log_publisher_cosigning_failures_total')),
          legend: '{{witness}} failed',
          quiet: 'no witness fails',
        },
      ],
    },
    {
      title: 'Time of a witness (p95)',
      unit: 's',
      queries: [
        {
          expr: quantile(0.95, 'log_publisher_cosigning_seconds', 'witness'),
          legend: '{{witness}}',
          quiet: 'no witness is asked',
        },
      ],
    },
    {
      title: 'A witness here: logs that it follows',
      unit: 'short',
      queries: [
        {
          expr: `max by (log) (${of('witness_log_size')})`,
          legend: '{{log}}',
          quiet: 'no witness runs here',
        },
        {
          expr: `max by (log) (${of('witness_log_inconsistent')})`,
          legend: '{{log}} inconsistent',
          quiet: 'no witness runs here',
        },
      ],
    },
    {
      title: 'Since the last audit',
      unit: 's',
      queries: [
        {
          expr: `time() - max(${of('auditor_last_run_timestamp_seconds')} > 0)`,
          legend: 'any',
          quiet: 'no audit yet',
        },
        {
          expr: `time() - max(${of('auditor_last_clean_run_timestamp_seconds')} > 0)`,
          legend: 'clean',
          quiet: 'no audit yet',
        },
      ],
    },
    {
      title: 'Audits and spot checks of a day',
      unit: 'short',
      queries: [
        { expr: sumBy('result', `increase(${of('auditor_runs_total')}[1d])`), legend: 'audit {{result}}' },
        {
          expr: sumBy('result', `increase(${of('auditor_spot_checks_total')}[1d])`),
          legend: 'spot check {{result}}',
        },
      ],
    },
    {
      title: 'Findings of the last audit',
      unit: 'short',
      queries: [
        {
          expr: `max by (kind) (${of('auditor_last_run_findings')})`,
          legend: '{{kind}}',
          quiet: 'nothing was found',
        },
      ],
    },
  ],
};
