import { type Subscription, type SubscriptionStatus } from './domain/subscription';
import { type WebhookFilter } from './domain/filter';
import { type SubscriptionSecrets } from './subscription-secrets';

/** A subscription as callers see it. */
export interface Webhook {
  id: string;
  url: string;
  description: string | null;
  filter: WebhookFilter;
  status: SubscriptionStatus;
  secret: {
    version: number;
    since: string;
    /** Until when the secret before it signs as well. */
    previousUntil: string | null;
    /** It comes from a row key that is being replaced, or is gone: rotate it. */
    rotate: boolean;
  };
  createdAt: string;
  createdBy: string;
  updatedAt: string;
  updatedBy: string;
  audit_id: string;
}

export function webhookView(subscription: Subscription, secrets: SubscriptionSecrets): Webhook {
  const { id, url, description, filter, status, secret, previous, eventId } = subscription;
  const { createdAt, createdBy, updatedAt, updatedBy } = subscription;
  return {
    ...{ id, url, description, filter, status },
    secret: {
      version: secret.version,
      since: secret.since,
      previousUntil: previous?.until ?? null,
      rotate: secrets.isOfOldKey(secret),
    },
    ...{ createdAt, createdBy, updatedAt, updatedBy, audit_id: eventId },
  };
}
