import { type Board, of, rate, sumBy } from '../board';

export const governance: Board = {
  name: 'governance',
  title: 'Kernel: governance',
  panels: [
    {
      title: 'Upgrades',
      unit: 'short',
      queries: [
        { expr: `max(${of('kernel_upgrades_open')})`, legend: 'open' },
        { expr: `max(${of('kernel_upgrades_overdue')})`, legend: 'overdue' },
        { expr: `max(${of('kernel_upgrades_unratified')})`, legend: 'not ratified' },
      ],
    },
    {
      title: 'Coordinators',
      description: 'Exactly one over all kernels.',
      unit: 'short',
      queries: [{ expr: sumBy('', of('kernel_upgrade_coordinator_leading')), legend: 'leading' }],
    },
    {
      title: 'Steps of the coordinator in an hour',
      unit: 'short',
      queries: [
        {
          expr: sumBy('step', `increase(${of('kernel_upgrade_coordinator_steps_total')}[1h])`),
          legend: '{{step}}',
          quiet: 'no upgrade is under way',
        },
        {
          expr: sumBy('kind', `increase(${of('kernel_upgrade_alarms_total')}[1h])`),
          legend: 'alarm: {{kind}}',
          quiet: 'no emergency was left unratified',
        },
      ],
    },
    {
      title: 'Mode',
      unit: 'short',
      queries: [{ expr: `max by (mode) (${of('kernel_mode')})`, legend: '{{mode}}' }],
    },
    {
      title: 'Mode, not recorded or restoring',
      unit: 'short',
      queries: [
        { expr: `max(${of('kernel_mode_changes_unrecorded')})`, legend: 'changes not in the chain' },
        { expr: `max(${of('kernel_mode_restoring')})`, legend: 'restoring' },
      ],
    },
    {
      title: 'Keys',
      unit: 'short',
      queries: [
        { expr: `max(${of('kernel_key_events_refused')})`, legend: 'key events that no key signed' },
        {
          expr: `max by (kid) (${of('kernel_key_rotation_due')})`,
          legend: 'rotation due: {{kid}}',
          quiet: 'no key is that old',
        },
      ],
    },
    {
      title: 'Commands of governance',
      unit: 'reqps',
      queries: [
        {
          expr: sumBy(
            'route, status',
            rate('http_requests_total', 'route=~"/kernel/upgrade.*|/kernel/approvers.*"'),
          ),
          legend: '{{route}} {{status}}',
          quiet: 'nobody asks',
        },
      ],
    },
    {
      title: 'Notifications',
      unit: 'short',
      queries: [
        {
          expr: `max by (endpoint, state) (${of('kernel_notifications_undelivered')})`,
          legend: '{{endpoint}} {{state}}',
          quiet: 'no endpoint is configured',
        },
        {
          expr: sumBy('endpoint, outcome', rate('kernel_notification_attempts_total')),
          legend: '{{endpoint}} {{outcome}}',
          quiet: 'no endpoint is configured',
        },
      ],
    },
    {
      title: 'Sign-ins of people',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('outcome', rate('kernel_sign_ins_total')),
          legend: '{{outcome}}',
          quiet: 'nobody signs in',
        },
        {
          expr: sumBy('reason', rate('kernel_sessions_closed_total')),
          legend: 'closed: {{reason}}',
          quiet: 'no session ends',
        },
      ],
    },
  ],
};
