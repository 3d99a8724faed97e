/**
 * Tells other systems what happened: signed and at least once; failed deliveries end in a list.
 * libs/modules/governance decides what to tell, and #platform/audit-stream carries events to the apps.
 */
export { type DeliveryObserver, type DeliveryOptions, WebhookDelivery } from './webhook-delivery';
export { clientFor, type Outcome, postWebhook, trusting } from './post-webhook';
export { type FailedAttempt, type Retry, RetryList, type RetryPage, type RetryState } from './retry-list';
export { DEFAULT_SCHEDULE, type RetrySchedule, waitAfter } from './retry-schedule';
export { openEndpoints, webhookEntries, type WebhookEndpoint, WebhookSecrets } from './webhook-endpoint';
export { WebhookError } from './webhook.error';
export {
  type DeliveryPage,
  type DeliveryState,
  type NewDelivery,
  type Reminder,
  WebhookOutbox,
} from './webhook-outbox';
