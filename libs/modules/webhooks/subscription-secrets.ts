import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { RowKey } from '#platform/event-store';
import { WebhookSecrets } from '#platform/webhooks';
import { type SecretSource, type Subscription } from './domain/subscription';

const SALT_BYTES = 32;

/**
 * Secrets of subscriptions: derived from the row key and what the chain says of each, and kept nowhere. Who has the
 * database, a backup or the chain has none of them.
 */
@Injectable()
export class SubscriptionSecrets {
  constructor(private readonly rowKey: RowKey) {}

  fresh(): Omit<SecretSource, 'version'> {
    return { salt: randomBytes(SALT_BYTES).toString('hex'), keyId: this.rowKey.keyId };
  }

  /** `whsec_` and base64 (Standard Webhooks); null when its row key is no longer in the file. */
  text(id: string, { version, salt, keyId }: SecretSource): string | null {
    const secret = this.rowKey.derive(keyId, Buffer.from(salt, 'hex'), `webhook-secret\n${id}\n${version}`);
    return secret === null ? null : `whsec_${secret.toString('base64')}`;
  }

  /** Whether the secret has to be rotated before the row key that it came from is removed from the file. */
  isOfOldKey({ keyId }: SecretSource): boolean {
    return keyId !== this.rowKey.keyId;
  }

  /** What signs at a time: the secret, and the one before it until its end. Null when neither can be derived. */
  signing({ id, secret, previous }: Subscription, now: Date): WebhookSecrets | null {
    const sources = [
      secret,
      ...(previous !== null && now < new Date(previous.until) ? [previous.secret] : []),
    ];
    const texts = sources.flatMap((source) => this.text(id, source) ?? []);
    return texts.length === 0 ? null : WebhookSecrets.parse(texts.join('\n'));
  }
}
