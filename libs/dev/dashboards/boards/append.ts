import { type Board, of, quantile, quantiles, rate, sumBy, within } from '../board';

export const append: Board = {
  name: 'append',
  title: 'Kernel: append path',
  panels: [
    {
      title: 'Events committed',
      unit: 'ops',
      queries: [{ expr: sumBy('shard', rate('audit_events_total')), legend: 'shard {{shard}}' }],
    },
    { title: 'Time of an append', unit: 's', queries: quantiles('audit_append_duration_seconds') },
    {
      title: 'Committed within 500 ms',
      unit: 'percentunit',
      queries: [{ expr: within('0.5', 'audit_append_duration_seconds'), legend: 'part of all' }],
    },
    {
      title: 'Steps of a group (p95)',
      unit: 's',
      queries: [
        { expr: quantile(0.95, 'audit_head_hash_duration_seconds'), legend: 'number and hash' },
        { expr: quantile(0.95, 'audit_sign_duration_seconds'), legend: 'sign' },
        { expr: quantile(0.95, 'audit_commit_duration_seconds'), legend: 'commit' },
      ],
    },
    {
      title: 'Hashing onto the head',
      unit: 's',
      queries: quantiles('audit_head_hash_duration_seconds'),
    },
    {
      title: 'Events in a group',
      unit: 'short',
      queries: [
        {
          expr: `${sumBy('', rate('audit_batch_events_sum'))} / ${sumBy('', rate('audit_batch_events_count'))}`,
          legend: 'mean',
        },
        { expr: quantile(0.95, 'audit_batch_events'), legend: 'p95' },
      ],
    },
    {
      title: 'Writes that wait for a group',
      unit: 'short',
      queries: [{ expr: sumBy('shard', of('audit_queue_depth')), legend: 'shard {{shard}}' }],
    },
    {
      title: 'Writes refused',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('code', rate('audit_append_refusals_total')),
          legend: '{{code}}',
          quiet: 'nothing is refused',
        },
      ],
    },
    {
      title: 'Groups numbered again',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('reason', rate('audit_group_retries_total')),
          legend: '{{reason}}',
          quiet: 'one kernel alone, and nothing fails',
        },
      ],
    },
    {
      title: 'Clock ahead of the database',
      unit: 's',
      queries: [{ expr: `max by (instance) (${of('audit_clock_ahead_seconds')})`, legend: '{{instance}}' }],
    },
    {
      title: 'Room in partitions',
      description: 'Events that the existing partitions still have room for.',
      unit: 'short',
      queries: [
        { expr: `min by (shard) (${of('kernel_partition_room_events')})`, legend: 'shard {{shard}}' },
      ],
    },
    {
      title: 'Writes that wait for the pipeline (Kernel-Await)',
      unit: 'short',
      queries: [{ expr: sumBy('', of('kernel_await_waiting')), legend: 'waiting' }],
    },
  ],
};
