import { type KeyInfo, SignerError } from '#platform/signer';
import { BackendKeys } from './backend-keys';
import { KmsRequirement } from './kms-requirement';

const key = (protection: KeyInfo['protection']): KeyInfo => ({
  kid: `${protection}-key`,
  keyVersion: '1',
  algorithm: 'ed25519',
  publicKeyPem: 'of no interest here',
  purposes: ['audit'],
  backend: 'some',
  protection,
  createdAt: null,
});
const production = { isProduction: true, requireKms: undefined, allowSofthsm: false };
const development = { isProduction: false, requireKms: undefined, allowSofthsm: false };
const holding = (...keys: KeyInfo[]) => ({ keys: async () => keys });

describe('KmsRequirement', () => {
  it('is always in force in production, where it cannot be switched off', () => {
    expect(new KmsRequirement(production).whyNot([key('hsm'), key('software')])).toMatch(
      /^REQUIRE_KMS is in force, and Key software-key .*files/,
    );
    expect(() => new KmsRequirement({ ...production, requireKms: false })).toThrow(
      'REQUIRE_KMS=false is refused',
    );
  });

  it('is in force elsewhere when it is asked for', () => {
    expect(new KmsRequirement(development).whyNot([key('software')])).toBeNull();
    const asked = new KmsRequirement({ ...development, requireKms: true });
    expect(asked.whyNot([key('software')])).toContain('software-key');
    expect(asked.whyNot([key('kms'), key('hsm')])).toBeNull();
  });

  it('takes SoftHSM only where that is allowed', () => {
    expect(new KmsRequirement(production).whyNot([key('softhsm')])).toContain('KERNEL_ALLOW_SOFTHSM');
    expect(new KmsRequirement({ ...production, allowSofthsm: true }).whyNot([key('softhsm')])).toBeNull();
  });

  it('stops the start when the proxy holds another key, and not when the proxy is away', async () => {
    const requirement = new KmsRequirement(production);
    await expect(requirement.assertAtStart(holding(key('kms')))).resolves.toBeUndefined();
    await expect(requirement.assertAtStart(holding(key('kms'), key('unstated')))).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('unstated-key'),
    });
    const away = () => Promise.reject(new SignerError('signing_unavailable', 'away'));
    await expect(requirement.assertAtStart({ keys: away })).resolves.toBeUndefined();
  });

  it('keeps such a key from the registry, whenever it turns up', async () => {
    const notAsked = () => Promise.reject(new Error('not asked'));
    const proxy = { ...holding(key('software')), health: notAsked, sign: notAsked, makeKey: notAsked };
    await expect(
      new BackendKeys(proxy, new KmsRequirement(production), 'kernel.example.com/test').keys(),
    ).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('REQUIRE_KMS'),
    });
    expect(
      await new BackendKeys(proxy, new KmsRequirement(development), 'kernel.example.com/test').keys(),
    ).toHaveLength(1);
  });
});
