import { type AddressPolicy } from '#platform/http-client';
import { type RetrySchedule } from '#platform/webhooks';

export abstract class WebhooksOptions {
  abstract readonly origin: string;
  abstract readonly now: () => Date;
  /** Where deliveries may go. */
  abstract readonly addresses: AddressPolicy;
  /**
   * Authorities (PEM) of receivers' certificates, all that count now; null: the usual ones. Another text when they were renewed.
   */
  abstract readonly ca: () => string | null;
  /** Limit for connecting, sending and the answer together. */
  abstract readonly timeoutMs: number;
  abstract readonly schedule: Partial<RetrySchedule>;
}
