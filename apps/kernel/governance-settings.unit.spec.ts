import { generateKeyPairSync } from 'node:crypto';
import { assertGovernanceSettings, webhookEndpoints } from './governance-settings';

const PRODUCTION = {
  isProduction: true,
  approvalTtlHours: 336,
  proposalTtlHours: 720,
  ratificationHours: 48,
};
const judged = (settings: object, base: object = PRODUCTION) => {
  try {
    assertGovernanceSettings({
      webauthnRpId: undefined,
      webauthnOrigins: undefined,
      ...base,
      ...settings,
    } as never);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

const newKey = () =>
  generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
const approver = (id: string, principals: string[]) => ({
  id,
  name: id,
  contact: null,
  principals,
  keys: [{ keyId: `${id}-1`, algorithm: 'ed25519', publicKeyPem: newKey() }],
});

describe('settings of governance', () => {
  const DEVELOPMENT = { ...PRODUCTION, isProduction: false };
  const rp = { webauthnRpId: 'example.com' };

  it.each<[string, object]>([
    ['no credentials', {}],
    [
      'a page of the relying party',
      { ...rp, webauthnOrigins: ['https://example.com', 'https://a.example.com:8443'] },
    ],
  ])('are taken with %s', (_, settings) => {
    expect(judged(settings)).toBeNull();
    const approverPool = { threshold: 1, approvers: [approver('a', ['a']), approver('b', [])] };
    expect(judged({ ...settings, approverPool })).toBeNull();
  });

  it.each<[string, object, string]>([
    ['a relying party without pages', rp, 'set both or none'],
    ['pages without a relying party', { webauthnOrigins: ['https://example.com'] }, 'set both or none'],
    ['a page elsewhere', { ...rp, webauthnOrigins: ['https://example.org'] }, 'does not lie within'],
    ['a page of a lookalike', { ...rp, webauthnOrigins: ['https://evilexample.com'] }, 'does not lie within'],
    ['more than an origin', { ...rp, webauthnOrigins: ['https://example.com/'] }, 'is no origin'],
    ['plain http', { ...rp, webauthnOrigins: ['http://example.com'] }, 'must be https'],
    [
      'localhost in production',
      { webauthnRpId: 'localhost', webauthnOrigins: ['https://localhost'] },
      'for development only',
    ],
    ['a window of seconds', { approvalTtlHours: 0.001 }, 'must be whole hours in production, not 0.001'],
    [
      'a first pool in which too few can call',
      { approverPool: { threshold: 2, approvers: [approver('a', ['a']), approver('b', [])] } },
      'only 1 of its approvers have a principal',
    ],
    ['a window with a fraction', { ratificationHours: 1.5 }, 'KERNEL_RATIFICATION_HOURS'],
  ])('are refused with %s', (_, settings, why) => {
    expect(judged(settings)).toContain(why);
  });

  it('are easier in development', () => {
    const local = { webauthnRpId: 'localhost', webauthnOrigins: ['http://localhost:8440'] };
    expect(judged({ ...local, proposalTtlHours: 0.001 }, DEVELOPMENT)).toBeNull();
  });

  it('name what is wrong with an endpoint', () => {
    const entry = { name: 'a', url: 'http://127.0.0.1/x', secretFile: '/nowhere' };
    expect(() => webhookEndpoints({ webhooks: [entry], isProduction: true })).toThrow(
      expect.objectContaining({
        code: 'invalid_configuration',
        message: expect.stringContaining(
          'KERNEL_WEBHOOKS: the endpoint "a" cannot be used: its url must be https',
        ),
      }),
    );
    expect(webhookEndpoints({ webhooks: [], isProduction: true })).toEqual([]);
  });
});
