import { recorded } from '#dev/testing';
import { type AuditEvent } from '#evidence';
import { EVERYTHING, fits, indexFilter, type WebhookFilter } from './filter';
import {
  decideSubscription,
  evolveSubscriptions,
  MAX_SUBSCRIPTIONS,
  NO_SUBSCRIPTIONS,
  type SubscriptionCommand,
  type Subscriptions,
  targetUrl,
} from './subscription';

const SECRET = { salt: 'aa', keyId: 'k1' };
const TARGET = {
  url: 'https://hooks.example.com/x',
  description: null,
  filter: EVERYTHING,
  status: 'active' as const,
};

/** The subscriptions after commands by a SuperAdmin. */
function after(...commands: SubscriptionCommand[]): Subscriptions {
  return commands.reduce<Subscriptions>((state, command, at) => {
    const { type, payload } = decideSubscription(state, command);
    return evolveSubscriptions(state, by('SuperAdmin', recorded(type, payload, at + 1)));
  }, NO_SUBSCRIPTIONS);
}
function by(role: string, event: AuditEvent): AuditEvent {
  return { ...event, actor: { ...event.actor, roles: [role] } };
}
const subscribe = (id: string): SubscriptionCommand => ({
  kind: 'subscribe',
  id,
  target: TARGET,
  startsAfter: [3, 4],
  secret: SECRET,
});

describe('subscriptions', () => {
  it('are made, changed, given another secret, and removed', () => {
    const made = after(subscribe('a'), subscribe('b'));
    expect([...made.keys()]).toEqual(['a', 'b']);
    expect(made.get('a')).toMatchObject({
      ...TARGET,
      startsAfter: [3, 4],
      secret: { version: 1, ...SECRET },
    });
    const changed = after(subscribe('a'), { kind: 'change', id: 'a', change: { status: 'paused' } });
    expect(changed.get('a')).toMatchObject({ ...TARGET, status: 'paused' });
    const previousUntil = '2026-01-31T10:00:00.000Z';
    const rotate = (salt: string): SubscriptionCommand => ({
      kind: 'rotate',
      id: 'a',
      secret: { salt, keyId: 'k1' },
      previousUntil,
    });
    expect(after(subscribe('a'), rotate('bb'), rotate('cc')).get('a')).toMatchObject({
      secret: { version: 3, salt: 'cc' },
      previous: { secret: { version: 2, salt: 'bb' }, until: previousUntil },
    });
    expect(after(subscribe('a'), { kind: 'unsubscribe', id: 'a' }).size).toBe(0);
  });

  it('are as many as there may be', () => {
    const all = after(...Array.from({ length: MAX_SUBSCRIPTIONS }, (_, n) => subscribe(`w${n}`)));
    expect(() => decideSubscription(all, subscribe('one-more'))).toThrow(
      expect.objectContaining({ code: 'too_many_webhooks' }),
    );
  });

  it('are not there when they are not, or no more', () => {
    for (const kind of ['unsubscribe', 'redeliver'] as const) {
      const command = { kind, id: 'a', eventIds: null };
      expect(() => decideSubscription(NO_SUBSCRIPTIONS, command)).toThrow(
        expect.objectContaining({ code: 'webhook_not_found' }),
      );
    }
  });

  it('are not made by events that no SuperAdmin said', () => {
    const { type, payload } = decideSubscription(NO_SUBSCRIPTIONS, subscribe('forged'));
    for (const role of ['Operator', 'Auditor', 'DivisionLead']) {
      expect(evolveSubscriptions(NO_SUBSCRIPTIONS, by(role, recorded(type, payload, 1))).size).toBe(0);
    }
  });

  it.each([
    ['id', 7],
    ['url', 'nowhere'],
    ['filter', null],
    ['filter', { ...EVERYTHING, types: 'invoice.paid' }],
    ['filter', { ...EVERYTHING, subject: 1 }],
    ['startsAfter', 0],
    ['startsAfter', ['0']],
    ['secret', 'whsec_x'],
    ['secret', { version: 1, salt: null, keyId: 'k1' }],
  ])('are not made by what was written before the noun was reserved: %s %j', (member, value) => {
    const { type, payload } = decideSubscription(NO_SUBSCRIPTIONS, subscribe('early'));
    const event = by('SuperAdmin', recorded(type, { ...payload, [member]: value }, 1));
    expect(evolveSubscriptions(NO_SUBSCRIPTIONS, event).size).toBe(0);
  });

  it.each([
    ['http://hooks.example.com/', 'https'],
    ['file:///etc/passwd', 'https'],
    ['https://user:secret@hooks.example.com/', 'credentials'],
    ['https://hooks.example.com/#part', 'fragment'],
    [`https://hooks.example.com/${'x'.repeat(2_048)}`, 'characters'],
    ['hooks.example.com', 'no URL'],
  ])('do not go to %s', (url, why) => {
    expect(() => targetUrl(url)).toThrow(
      expect.objectContaining({ code: 'invalid_target', message: expect.stringContaining(why) }),
    );
  });
});

describe('a filter', () => {
  const event = { ...recorded('invoice.paid', { division: 'sales' }, 1), stream: 'invoice/2026-17' };
  const divisionOf = (_: string, payload: object) => (payload as { division?: string }).division ?? null;

  it.each<[Partial<WebhookFilter>, boolean]>([
    [{}, true],
    [{ types: ['invoice.sent', 'invoice.paid'] }, true],
    [{ types: ['invoice.sent'] }, false],
    [{ subject: 'invoice/2026-' }, true],
    [{ subject: 'invoice/2025-' }, false],
    [{ division: 'sales' }, true],
    [{ division: 'product' }, false],
    [{ actor: 'operator' }, true],
    [{ actor: 'operator', division: 'product' }, false],
  ])('%j lets an event through: %s', (filter, through) => {
    expect(fits({ ...EVERYTHING, ...filter }, event, divisionOf)).toBe(through);
  });

  it('asks the index for what the index can tell', () => {
    expect(indexFilter(EVERYTHING)).toEqual({});
    const some = { types: ['invoice.paid'], subject: 'invoice/', division: 'sales', actor: 'a' };
    expect(indexFilter(some)).toEqual({
      types: ['invoice.paid'],
      subject: 'invoice/',
      division: 'sales',
      actor: 'a',
    });
    expect(indexFilter({ ...EVERYTHING, types: ['a.b', 'a.c'] })).toEqual({ types: ['a.b', 'a.c'] });
  });
});
