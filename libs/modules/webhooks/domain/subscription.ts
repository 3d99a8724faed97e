import { type AuditEvent, type JsonObject, type JsonValue } from '#evidence';
import { type WebhookFilter } from './filter';
import { WebhooksError } from './webhooks.error';

/** All subscriptions are one stream, so that a decision about one sees how many there are. */
export const SUBSCRIPTIONS = 'webhook/subscriptions';
/** Each costs a reader of the index and a few connections. */
export const MAX_SUBSCRIPTIONS = 32;
const MAX_URL = 2_048;

export type SubscriptionStatus = 'active' | 'paused';

/** What a secret is derived from; the secret itself is nowhere (docs/adr/0177-webhook-subscriptions-are-events.md). */
export interface SecretSource {
  version: number;
  /** Hex of 32 random bytes. */
  salt: string;
  /** Id of the row key. */
  keyId: string;
}

/** What a caller says of a subscription. */
export interface Target {
  url: string;
  description: string | null;
  filter: WebhookFilter;
  status: SubscriptionStatus;
}

export interface Subscription extends Target {
  id: string;
  /** Place in each shard after which its events begin. */
  startsAfter: number[];
  secret: SecretSource & { since: string };
  /** The secret before it, which signs as well until its end. */
  previous: { secret: SecretSource; until: string } | null;
  createdAt: string;
  createdBy: string;
  updatedAt: string;
  updatedBy: string;
  /** The last event about it. */
  eventId: string;
}

export type Subscriptions = ReadonlyMap<string, Subscription>;
export const NO_SUBSCRIPTIONS: Subscriptions = new Map();

export type SubscriptionCommand =
  | {
      kind: 'subscribe';
      id: string;
      target: Target;
      startsAfter: number[];
      secret: Omit<SecretSource, 'version'>;
    }
  | { kind: 'change'; id: string; change: Partial<Target> }
  | { kind: 'rotate'; id: string; secret: Omit<SecretSource, 'version'>; previousUntil: string }
  | { kind: 'unsubscribe'; id: string }
  | { kind: 'redeliver'; id: string; eventIds: string[] | null };

export interface SubscriptionEvent {
  type:
    | 'webhook.subscribed'
    | 'webhook.changed'
    | 'webhook.secret_rotated'
    | 'webhook.unsubscribed'
    | 'webhook.redelivery_requested';
  payload: JsonObject;
}

/** @throws WebhooksError `webhook_not_found` */
export function existing(state: Subscriptions, id: string): Subscription {
  const found = state.get(id);
  if (found !== undefined) return found;
  throw new WebhooksError('webhook_not_found', `There is no webhook ${id}.`, { id });
}

/** @throws WebhooksError `webhook_not_found`, `too_many_webhooks`, `invalid_target` */
export function decideSubscription(state: Subscriptions, command: SubscriptionCommand): SubscriptionEvent {
  const { id } = command;
  if (command.kind === 'subscribe') {
    if (state.size >= MAX_SUBSCRIPTIONS) {
      throw new WebhooksError(
        'too_many_webhooks',
        `There are ${state.size} webhooks, the most that there may be; remove one first.`,
      );
    }
    const { target, startsAfter, secret } = command;
    const payload = { id, ...stated(target), startsAfter, secret: { version: 1, ...secret } };
    return { type: 'webhook.subscribed', payload };
  }
  const subscription = existing(state, id);
  switch (command.kind) {
    case 'change':
      return { type: 'webhook.changed', payload: { id, ...stated({ ...subscription, ...command.change }) } };
    case 'rotate': {
      const secret = { version: subscription.secret.version + 1, ...command.secret };
      return {
        type: 'webhook.secret_rotated',
        payload: { id, secret, previousUntil: command.previousUntil },
      };
    }
    case 'unsubscribe':
      return { type: 'webhook.unsubscribed', payload: { id } };
    case 'redeliver':
      return { type: 'webhook.redelivery_requested', payload: { id, eventIds: command.eventIds } };
  }
}

function stated({ url, description, filter, status }: Target): JsonObject {
  return { url: targetUrl(url).href, description, filter: { ...filter }, status };
}

/**
 * An address as it is used. Which machines it leads to is looked at elsewhere: that changes.
 * @throws WebhooksError `invalid_target`
 */
export function targetUrl(text: string): URL {
  const refuse = (why: string) =>
    new WebhooksError('invalid_target', `Events cannot be sent to this url: ${why}.`, { pointer: '/url' });
  if (!URL.canParse(text)) throw refuse('it is no URL');
  const url = new URL(text);
  if (url.protocol !== 'https:') throw refuse('it must begin with https:');
  if (url.username !== '' || url.password !== '')
    throw refuse('it must hold no credentials, the chain shows it');
  if (url.hash !== '') throw refuse('a fragment is never sent');
  if (url.href.length > MAX_URL) throw refuse(`it has more than ${MAX_URL} characters`);
  return url;
}

/**
 * Subscriptions after an event of their stream. What no SuperAdmin said, and what is no subscription, is passed over: before
 * the noun was the kernel's own, whoever could append could write there what they liked.
 */
export function evolveSubscriptions(state: Subscriptions, event: AuditEvent): Subscriptions {
  const { type, payload, ts, actor, id: eventId } = event;
  if (!actor.roles.includes('SuperAdmin')) return state;
  const id = payload['id'] as string;
  const before = state.get(id);
  const updated = { updatedAt: ts, updatedBy: actor.id, eventId };
  const put = (subscription: Subscription): Subscriptions => new Map(state).set(id, subscription);
  if (type === 'webhook.subscribed') {
    if (!isSubscription(payload)) return state;
    const said = payload as unknown as Target & { startsAfter: number[]; secret: SecretSource };
    const { url, description, filter, status, startsAfter, secret } = said;
    return put({
      ...{ id, url, description, filter, status, startsAfter, secret: { ...secret, since: ts } },
      ...{ previous: null, createdAt: ts, createdBy: actor.id, ...updated },
    });
  }
  if (before === undefined) return state;
  if (type === 'webhook.changed') {
    const { url, description, filter, status } = payload as unknown as Target;
    return put({ ...before, url, description, filter, status, ...updated });
  }
  if (type === 'webhook.secret_rotated') {
    const { secret, previousUntil } = payload as unknown as { secret: SecretSource; previousUntil: string };
    const { since: _since, ...last } = before.secret;
    const previous = { secret: last, until: previousUntil };
    return put({ ...before, secret: { ...secret, since: ts }, previous, ...updated });
  }
  if (type === 'webhook.unsubscribed') {
    const left = new Map(state);
    left.delete(id);
    return left;
  }
  return state;
}

/** Whether it has the members of a subscription, each of its kind: the kernel has checked the rest before it wrote it. */
function isSubscription({ id, url, filter, startsAfter, secret }: JsonObject): boolean {
  if (!isText(id) || !isText(url) || !isObject(filter) || !isObject(secret)) return false;
  const { types, subject, division, actor } = filter;
  const { version, salt, keyId } = secret;
  return (
    URL.canParse(url) &&
    (types === null || (Array.isArray(types) && types.every(isText))) &&
    [subject, division, actor].every((member) => member === null || isText(member)) &&
    Array.isArray(startsAfter) &&
    startsAfter.every((seq) => Number.isSafeInteger(seq)) &&
    Number.isSafeInteger(version) &&
    isText(salt) &&
    isText(keyId)
  );
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string';
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
