import { randomBytes } from 'node:crypto';
import { type ApproverKey, type ApproverPool, type JsonObject, keyMaterial } from '#evidence';
import { type Ceremony, SoftwareAuthenticator } from '#dev/testing';
import { poolOf, UpgradeStory } from '../fixtures/upgrade-story.fixture';
import { verifyRegistration } from '../webauthn/verify-registration';
import { type GovernanceError } from './governance.error';
import { refuseSyncedRegistration, refuseSyncedSignature } from './synced-passkeys';

const RP = 'kernel.example.com';
const ORIGIN = `https://${RP}`;
const NOTHING = { bound: new Set<string>(), synced: new Set<string>() };

async function passkey(flags: Partial<Ceremony> = {}) {
  const authenticator = new SoftwareAuthenticator('ES256');
  const challenge = randomBytes(32).toString('base64url');
  const made = authenticator.create(
    { challenge, rp: { id: RP }, pubKeyCredParams: [{ alg: -7 }] },
    { origin: ORIGIN, ...flags },
  );
  const { key, material, evidence } = await verifyRegistration(made, {
    challenge,
    rpId: RP,
    origins: [ORIGIN],
    keyId: null,
    approverId: 'person-1',
  });
  const assertion = (more: Partial<Ceremony> = {}) => {
    const signed = authenticator.get(
      { challenge, rpId: RP, allowCredentials: [{ id: made.id }], userVerification: 'required' },
      { origin: ORIGIN, ...more },
    );
    const standard = Object.entries(signed).map(([name, value]) => [
      name,
      Buffer.from(value, 'base64url').toString('base64'),
    ]);
    return Object.fromEntries(standard) as typeof signed;
  };
  return { key, material, evidence, assertion };
}

const refusal = (attempt: () => void): GovernanceError | null => {
  try {
    attempt();
    return null;
  } catch (error) {
    return error as GovernanceError;
  }
};

describe('where synced passkeys are refused', () => {
  it.each<[string, Partial<Ceremony>, string | null]>([
    ['stays in one device', {}, null],
    ['may be copied', { backupEligible: true }, 'synced_passkey'],
    ['is copied', { backupEligible: true, backedUp: true }, 'synced_passkey'],
  ])('a passkey that %s', async (_, flags, code) => {
    const { key, evidence, assertion } = await passkey(flags);
    expect(refusal(() => refuseSyncedRegistration(evidence))?.code ?? null).toBe(code);
    const signing = refusal(() => refuseSyncedSignature(key, assertion(flags), NOTHING));
    expect(signing?.code ?? null).toBe(code);
    if (code !== null) expect(signing?.message).toContain(key.keyId);
  });

  it('one that was registered as such signs nothing, whatever flags it shows later', async () => {
    const { key, material, assertion } = await passkey({ backupEligible: true });
    const known = { bound: new Set<string>(), synced: new Set([material]) };
    expect(refusal(() => refuseSyncedSignature(key, assertion(), known))?.code).toBe('synced_passkey');
    expect(refusal(() => refuseSyncedSignature(key, assertion(), NOTHING))).toBeNull();
    // BS alone contradicts itself, and is no reason to trust it.
    const odd = refusal(() => refuseSyncedSignature(key, assertion({ backedUp: true }), NOTHING));
    expect(odd?.code).toBe('synced_passkey');
  });

  it('signatures by keys that are no passkeys are not touched', async () => {
    const { key } = await passkey();
    expect(refusal(() => refuseSyncedSignature(key, 'AAAA', NOTHING))).toBeNull();
  });

  describe('a proposed pool', () => {
    const withKey = (story: UpgradeStory, key: ApproverKey): ApproverPool => {
      const pool = poolOf(3, story.people);
      const [first, ...others] = pool.approvers;
      if (first === undefined) throw new TypeError('a story has people');
      return { ...pool, approvers: [{ ...first, keys: [...first.keys, key] }, ...others] };
    };
    const propose = (story: UpgradeStory, id: string, pool: ApproverPool) =>
      refusal(() =>
        story.when(id, story.propose(id, { type: 'approver_pool', pool: pool as unknown as JsonObject })),
      );

    it('takes a new passkey that was registered as staying in one device, and no other', async () => {
      const { key, material } = await passkey();
      const story = new UpgradeStory();
      const pool = withKey(story, key);
      story.passkeys = NOTHING;
      expect(propose(story, 'unknown', pool)).toMatchObject({
        code: 'synced_passkey',
        details: { pointer: '/manifest/pool/approvers/0/keys/1', keyId: key.keyId },
        message: expect.stringContaining('has no registration for person-1'),
      });
      story.passkeys = { bound: new Set(), synced: new Set([material]) };
      expect(propose(story, 'synced', pool)?.message).toContain('may copy to other devices');
      // Both were said of it once: the worse counts.
      story.passkeys = { bound: new Set([material]), synced: new Set([material]) };
      expect(propose(story, 'both', pool)?.code).toBe('synced_passkey');
      story.passkeys = { bound: new Set([material]), synced: new Set() };
      expect(propose(story, 'bound', pool)).toBeNull();
    });

    it('may keep what the pool in force has, so that the pool can be changed', async () => {
      const { key } = await passkey({ backupEligible: true });
      const story = new UpgradeStory();
      const pool = withKey(story, key);
      expect(propose(story, 'before', pool)).toBeNull();
      story.approve('before', 1, 2, 3);
      story.apply('before');
      story.passkeys = { bound: new Set(), synced: new Set([keyMaterial(key)]) };
      expect(propose(story, 'without-one', { ...pool, approvers: pool.approvers.slice(0, 4) })).toBeNull();
      // To others it is new again.
      const other = (await passkey({ backupEligible: true })).key;
      expect(propose(story, 'one-more', withKey(story, other))?.code).toBe('synced_passkey');
    });
  });
});
