import { type WebhookEndpoint } from '#platform/webhooks';

/** Who is told, and when of what is due. */
export abstract class NotificationOptions {
  abstract readonly endpoints: readonly WebhookEndpoint[];
  /** How long before a deadline its reminder comes. */
  abstract readonly expiringMs: number;
}
