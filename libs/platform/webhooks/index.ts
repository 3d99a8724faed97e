/**
 * Tells other systems what happened: signed, at least once, in the end or into a list of what could not be delivered.
 * It does not know what there is to tell (libs/modules/governance), and carries no event to the apps (#platform/audit-stream).
 */
export { type DeliveryObserver, type DeliveryOptions, WebhookDelivery } from './webhook-delivery';
export { openEndpoints, webhookEntries, type WebhookEndpoint, WebhookSecrets } from './webhook-endpoint';
export { WebhookError } from './webhook.error';
export {
  type DeliveryPage,
  type DeliveryState,
  type NewDelivery,
  type Reminder,
  WebhookOutbox,
} from './webhook-outbox';
