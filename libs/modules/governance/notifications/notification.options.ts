import { type WebhookEndpoint } from '#platform/webhooks';

/** Recipients of notifications, and the time of reminders. */
export abstract class NotificationOptions {
  abstract readonly endpoints: readonly WebhookEndpoint[];
  /** Time from a reminder to its deadline. */
  abstract readonly expiringMs: number;
}
