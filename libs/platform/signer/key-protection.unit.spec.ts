import { KEY_PROTECTIONS, whyNotInKms } from './key-protection';

const key = (protection: (typeof KEY_PROTECTIONS)[number]) => ({
  kid: 'audit-v1',
  backend: 'some',
  protection,
});

describe('whyNotInKms', () => {
  it.each(['hsm', 'kms'] as const)('takes %s', (protection) => {
    expect(whyNotInKms(key(protection), { allowSoftHsm: false })).toBeNull();
  });

  it.each([
    ['software', 'kept in files'],
    ['softhsm', 'KERNEL_ALLOW_SOFTHSM=true'],
    ['unstated', '"protection"'],
  ] as const)('refuses %s in a sentence of its own', (protection, words) => {
    const why = whyNotInKms(key(protection), { allowSoftHsm: false });
    expect(why).toContain('Key audit-v1 (some) is');
    expect(why).toContain(words);
  });

  it('takes SoftHSM where it is allowed, and nothing else with it', () => {
    const allowed = KEY_PROTECTIONS.filter(
      (protection) => !whyNotInKms(key(protection), { allowSoftHsm: true }),
    );
    expect(allowed).toEqual(['hsm', 'kms', 'softhsm']);
  });
});
