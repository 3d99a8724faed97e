import { type Board, of, quantile, rate, sumBy } from '../board';

export const pipeline: Board = {
  name: 'pipeline',
  title: 'Kernel: pipeline',
  panels: [
    {
      title: 'Events that wait',
      unit: 'short',
      queries: [
        {
          expr: `max by (stage, shard) (${of('kernel_pipeline_lag_events')})`,
          legend: '{{stage}} shard {{shard}}',
        },
      ],
    },
    {
      title: 'Age of what waits',
      unit: 's',
      queries: [
        {
          expr: `max by (stage, shard) (${of('kernel_pipeline_lag_seconds')})`,
          legend: '{{stage}} shard {{shard}}',
        },
      ],
    },
    {
      title: 'From the event to the stage (p95)',
      unit: 's',
      queries: [{ expr: quantile(0.95, 'kernel_pipeline_end_to_end_seconds', 'stage'), legend: '{{stage}}' }],
    },
    {
      title: 'Events through each stage',
      unit: 'ops',
      queries: [
        { expr: sumBy('stage', rate('kernel_pipeline_end_to_end_seconds_count')), legend: '{{stage}}' },
      ],
    },
    {
      title: 'Leaders of the relay',
      description: 'Exactly one for each shard.',
      unit: 'short',
      queries: [{ expr: sumBy('shard', of('kernel_relay_leader')), legend: 'shard {{shard}}' }],
    },
    {
      title: 'Retries of the relay',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('step', rate('kernel_relay_retries_total')),
          legend: '{{step}}',
          quiet: 'nothing fails',
        },
      ],
    },
    {
      title: 'Operations of the archive',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('operation, outcome', rate('archive_operation_duration_seconds_count')),
          legend: '{{operation}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Time of the archive (p95)',
      unit: 's',
      queries: [
        { expr: quantile(0.95, 'archive_operation_duration_seconds', 'operation'), legend: '{{operation}}' },
      ],
    },
    {
      title: 'Events archived',
      unit: 'ops',
      queries: [{ expr: sumBy('outcome', rate('archiver_uploads_total')), legend: '{{outcome}}' }],
    },
    {
      title: 'Failures of the archiver',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('kind', rate('archiver_upload_failures_total')),
          legend: 'upload: {{kind}}',
          quiet: 'nothing fails',
        },
        {
          expr: sumBy('kind', rate('archiver_day_manifest_failures_total')),
          legend: 'manifest: {{kind}}',
          quiet: 'nothing fails',
        },
        {
          expr: sumBy('kind', rate('archiver_legal_hold_failures_total')),
          legend: 'hold: {{kind}}',
          quiet: 'nothing fails',
        },
      ],
    },
    {
      title: 'Days without a manifest',
      unit: 's',
      queries: [
        {
          expr: `max by (shard) (${of('archiver_day_manifest_age_seconds')})`,
          legend: 'shard {{shard}}',
        },
      ],
    },
    {
      title: 'Records handled before',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('stage', rate('kernel_pipeline_repeats_total')),
          legend: '{{stage}}',
          quiet: 'nothing was delivered twice',
        },
      ],
    },
    {
      title: 'Webhooks',
      unit: 'short',
      queries: [
        {
          expr: `max by (webhook) (${of('kernel_webhook_behind_events')})`,
          legend: '{{webhook}} behind',
          quiet: 'nobody has subscribed',
        },
        {
          expr: `max by (webhook, state) (${of('kernel_webhook_undelivered')})`,
          legend: '{{webhook}} {{state}}',
          quiet: 'nobody has subscribed',
        },
      ],
    },
    {
      title: 'Readers of the stream',
      unit: 'short',
      queries: [{ expr: sumBy('', of('kernel_audit_stream_readers')), legend: 'connected' }],
    },
  ],
};
