import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { recorded } from '#dev/testing';
import { RowKey } from '#platform/event-store';
import { cloudEventOf } from './domain/cloud-event';
import { EVERYTHING } from './domain/filter';
import { type Subscription } from './domain/subscription';
import { SubscriptionSecrets } from './subscription-secrets';

const ORIGIN = 'kernel.example.com/test';
const line = (): string => randomBytes(32).toString('base64');
const now = new Date();

function subscriptionOf(secrets: SubscriptionSecrets, id = 'wh_1'): Subscription {
  return {
    ...{ id, url: 'https://hooks.example.com/', description: null, filter: EVERYTHING, status: 'active' },
    startsAfter: [0],
    secret: { version: 1, ...secrets.fresh(), since: now.toISOString() },
    previous: null,
    ...{ createdAt: '', createdBy: '', updatedAt: '', updatedBy: '', eventId: '' },
  };
}

describe('the secrets of webhooks', () => {
  const [first, second] = [line(), line()];
  const secrets = new SubscriptionSecrets(RowKey.parse(first, ORIGIN));
  const subscription = subscriptionOf(secrets);
  const text = secrets.text('wh_1', subscription.secret) as string;
  const stored = { event: recorded('invoice.paid', { note: 'Zoë "\u0000' }, 1), bytes: Buffer.alloc(0) };
  const body = cloudEventOf({ ...stored, bytes: Buffer.from(JSON.stringify(stored.event)) }, ORIGIN);
  const stamp = Math.floor(now.getTime() / 1_000);
  const headers = (of: Subscription, by = secrets, at = now) => ({
    'webhook-id': stored.event.id,
    'webhook-timestamp': String(stamp),
    'webhook-signature': by.signing(of, at)?.sign(stored.event.id, stamp, body) ?? '',
  });

  it('make signatures that the library of Standard Webhooks verifies, over CloudEvents', () => {
    expect(text).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(new Webhook(text).verify(body, headers(subscription))).toEqual({
      specversion: '1.0',
      id: stored.event.id,
      source: ORIGIN,
      type: 'invoice.paid',
      subject: 'test/stream',
      time: stored.event.ts,
      datacontenttype: 'application/json',
      data: stored.event,
    });
    expect(() => new Webhook(text).verify(`${body} `, headers(subscription))).toThrow(
      'No matching signature',
    );
  });

  it('are each their own', () => {
    const others = [
      secrets.text('wh_2', subscription.secret),
      secrets.text('wh_1', { ...subscription.secret, version: 2 }),
      secrets.text('wh_1', { ...subscription.secret, ...secrets.fresh() }),
      new SubscriptionSecrets(RowKey.parse(first, 'kernel.example.com/other')).text(
        'wh_1',
        subscription.secret,
      ),
    ];
    expect(new Set([text, ...others]).size).toBe(5);
  });

  it('overlap while they are rotated, and not after', () => {
    const until = new Date(now.getTime() + 60_000);
    const rotated: Subscription = {
      ...subscription,
      secret: { version: 2, ...secrets.fresh(), since: now.toISOString() },
      previous: { secret: subscription.secret, until: until.toISOString() },
    };
    const next = secrets.text('wh_1', rotated.secret) as string;
    for (const one of [text, next]) expect(new Webhook(one).verify(body, headers(rotated))).toBeDefined();
    expect(new Webhook(next).verify(body, headers(rotated, secrets, until))).toBeDefined();
    expect(() => new Webhook(text).verify(body, headers(rotated, secrets, until))).toThrow();
  });

  it('outlive a row key that is being replaced, say so, and end with it', () => {
    const both = new SubscriptionSecrets(RowKey.parse(`${second}\n${first}`, ORIGIN));
    expect(both.text('wh_1', subscription.secret)).toBe(text);
    expect([secrets, both].map((one) => one.isOfOldKey(subscription.secret))).toEqual([false, true]);
    const later = new SubscriptionSecrets(RowKey.parse(second, ORIGIN));
    expect(later.text('wh_1', subscription.secret)).toBeNull();
    expect(later.signing(subscription, now)).toBeNull();
  });
});
