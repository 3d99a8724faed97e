import { DEFAULT_POLICY, evolvePolicy, initialPolicy, POLICY_STREAM, readPolicy } from './governance.policy';

const POLICY = { approvalTtlHours: 100, proposalTtlHours: 200, ratificationHours: 10 };

describe('the policy', () => {
  it.each<[string, object | null]>([
    ['nothing', null],
    ['a member too many', { ...POLICY, more: 1 }],
    ['a member missing', { approvalTtlHours: 1, proposalTtlHours: 2 }],
    ['no time at all', { ...POLICY, ratificationHours: 0 }],
    ['a fraction', { ...POLICY, ratificationHours: 0.5 }],
    ['more than a year', { ...POLICY, ratificationHours: 9_000 }],
    ['a text', { ...POLICY, ratificationHours: '10' }],
  ])('of an upgrade is not %s', (_, value) => {
    expect(readPolicy(value as never)).toBeNull();
  });

  it('leads back to the configured one, also where that is seconds', () => {
    const seconds = { ...DEFAULT_POLICY, ratificationHours: 0.001 };
    const changed = (policy: object, upgradeId: string, provisional: boolean) =>
      ({
        stream: POLICY_STREAM,
        type: 'policy.changed',
        payload: { policy, upgradeId, provisional },
      }) as never;
    const emergency = evolvePolicy(initialPolicy(seconds), changed(POLICY, 'u', true));
    expect(emergency).toMatchObject({ version: 1, policy: POLICY, previous: seconds, provisional: 'u' });
    const back = evolvePolicy(emergency, changed(emergency.previous, 'u', false));
    expect(back).toMatchObject({ version: 2, policy: seconds, provisional: null });
  });
});
