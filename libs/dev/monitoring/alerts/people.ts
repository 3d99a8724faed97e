import { type Alert } from './alert.types';
import { risen } from './risen';

/** What waits for people, and what people and other systems are not told. */
export const PEOPLE_ALERTS: readonly Alert[] = [
  {
    name: 'KernelUpgradeUnratified',
    area: 'people',
    severity: 'ticket',
    expr: 'max(kernel_upgrades_unratified{$scope}) > 0',
    summary: 'An upgrade was applied in an emergency and waits for its ratification.',
  },
  {
    name: 'KernelUpgradeAlarm',
    area: 'people',
    severity: 'page',
    expr: risen('kind', 'kernel_upgrade_alarms_total{$scope}', '1h'),
    summary: 'Nobody ratified an emergency in time: {{ $labels.kind }}.',
  },
  {
    name: 'KernelUpgradeOverdue',
    area: 'people',
    severity: 'ticket',
    expr: 'max(kernel_upgrades_overdue{$scope}) > 0',
    for: '15m',
    summary: '{{ $value }} upgrades are due to be applied, expired or settled, and could not be.',
  },
  {
    name: 'KernelNotificationsDead',
    area: 'people',
    severity: 'ticket',
    expr: 'max by (endpoint) (kernel_notifications_undelivered{$scope, state="dead"}) > 0',
    summary: '{{ $value }} notifications for {{ $labels.endpoint }} were given up.',
  },
  {
    name: 'KernelNotificationsBehind',
    area: 'people',
    severity: 'ticket',
    expr: 'max by (endpoint) (kernel_notifications_oldest_pending_seconds{$scope}) > 900',
    for: '5m',
    summary: 'The oldest notification for {{ $labels.endpoint }} has waited {{ $value | humanizeDuration }}.',
  },
  {
    name: 'KernelWebhookDead',
    area: 'people',
    severity: 'ticket',
    expr: 'max by (webhook) (kernel_webhook_undelivered{$scope, state="dead"}) > 0',
    summary: '{{ $value }} events for the webhook {{ $labels.webhook }} were given up.',
  },
  {
    name: 'KernelWebhookBehind',
    area: 'people',
    severity: 'ticket',
    expr: 'max by (webhook) (kernel_webhook_behind_events{$scope}) > 10000',
    for: '15m',
    summary: 'The webhook {{ $labels.webhook }} is {{ $value }} events behind.',
  },
  {
    name: 'KernelIdentityProviderUnknown',
    area: 'people',
    severity: 'ticket',
    // A kernel where nobody signs in has the gauge too, at 0, and asks nobody.
    expr: 'max(kernel_oidc_provider_known{$scope}) < 1 and sum(increase(kernel_oidc_failures_total{$scope}[10m])) > 0',
    for: '10m',
    summary: 'The identity provider has not answered since the start; nobody can sign in.',
  },
];
