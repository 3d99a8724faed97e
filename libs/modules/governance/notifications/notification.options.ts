import { type WebhookEndpoint } from '#platform/webhooks';

/** Who is told, and by which process. Bound by the app. */
export abstract class NotificationOptions {
  abstract readonly endpoints: readonly WebhookEndpoint[];
  /** How long before a deadline its reminder comes. */
  abstract readonly expiringMs: number;
  /** Of PostgreSQL itself, not of a pooler. */
  abstract readonly databaseUrl: string;
  /** Names this process to people. */
  abstract readonly holder: string;
  /** Whether it may write at all now. */
  abstract mayWork(): boolean;
  abstract onTerm(leading: boolean): void;
}
