import { type SignerEntry, type SignerPurpose } from '#evidence';
import { type BackendKey, activeKey, keysToRegister } from './registration';

const key = (kid: string, purposes: SignerPurpose[], publicKeyPem = `pem of ${kid}`): BackendKey => ({
  kid,
  keyVersion: '1',
  publicKeyPem,
  purposes,
  backend: 'software',
});
const signer = (kid: string, purposes: SignerPurpose[], more: Partial<SignerEntry> = {}): SignerEntry => ({
  signer_kid: kid,
  algorithm: 'ed25519',
  public_key_pem: `pem of ${kid}`,
  deployedAt: '2026-01-31T10:00:00.000Z',
  description: '',
  purposes,
  status: 'active',
  retiredAt: null,
  compromisedAt: null,
  ...more,
});
const kids = (signers: SignerEntry[]) => signers.map(({ signer_kid }) => signer_kid);
const NOW = '2026-02-01T00:00:00.000Z';

describe('registration of the first keys', () => {
  it('takes the first key of each purpose, the audit key first', () => {
    const offered = [
      key('m', ['manifest']),
      key('a', ['audit']),
      key('a2', ['audit']),
      key('c', ['checkpoint']),
      key('c2', ['checkpoint']),
    ];
    expect(kids(keysToRegister([], offered.toReversed(), NOW))).toEqual(['a2', 'm', 'c2']);
    expect(kids(keysToRegister([], offered, NOW))).toEqual(['a', 'm', 'c']);
  });

  it('begins with the audit key that is named, and with none while that one is not offered', () => {
    const offered = [key('a', ['audit']), key('a2', ['audit', 'manifest']), key('c', ['checkpoint'])];
    expect(kids(keysToRegister([], offered, NOW, 'a2'))).toEqual(['a2', 'c']);
    expect(kids(keysToRegister([], offered, NOW, 'elsewhere'))).not.toContain('a');
    expect(keysToRegister([signer('a', ['audit', 'manifest', 'checkpoint'])], offered, NOW, 'a2')).toEqual(
      [],
    );
  });

  it('registers a checkpoint key that comes later, and does without one', () => {
    const known = [signer('a', ['audit']), signer('m', ['manifest'])];
    const offered = [key('a', ['audit']), key('m', ['manifest'])];
    expect(keysToRegister(known, offered, NOW)).toEqual([]);
    expect(kids(keysToRegister(known, [...offered, key('c', ['checkpoint'])], NOW))).toEqual(['c']);
  });

  it('registers a key for both purposes once', () => {
    const [entry, ...others] = keysToRegister([], [key('both', ['audit', 'manifest'])], NOW);
    expect(entry).toMatchObject({
      signer_kid: 'both',
      purposes: ['audit', 'manifest'],
      status: 'active',
      deployedAt: NOW,
    });
    expect(others).toEqual([]);
  });

  it('leaves a purpose alone that ever had a key, whatever became of it', () => {
    const known = [signer('old', ['audit'], { status: 'compromised', compromisedAt: NOW })];
    expect(kids(keysToRegister(known, [key('new', ['audit']), key('m', ['manifest'])], NOW))).toEqual(['m']);
    expect(keysToRegister([...known, signer('m', ['manifest'])], [key('new', ['audit'])], NOW)).toEqual([]);
  });
});

describe('the key in force', () => {
  it('is offered, registered and active', () => {
    expect(activeKey('audit', [signer('a', ['audit'])], [key('a', ['audit'])])?.kid).toBe('a');
  });

  it.each([
    ['not registered', [], [key('a', ['audit'])]],
    ['not offered', [signer('a', ['audit'])], []],
    ['retired', [signer('a', ['audit'], { status: 'retired', retiredAt: NOW })], [key('a', ['audit'])]],
    [
      'compromised',
      [signer('a', ['audit'], { status: 'compromised', compromisedAt: NOW })],
      [key('a', ['audit'])],
    ],
    ['registered for another purpose', [signer('a', ['manifest'])], [key('a', ['audit'])]],
    ['offered for another purpose', [signer('a', ['audit'])], [key('a', ['manifest'])]],
    ['another key of the same name', [signer('a', ['audit'])], [key('a', ['audit'], 'another pem')]],
  ] as [string, SignerEntry[], BackendKey[]][])('is none when it is %s', (_, registered, offered) => {
    expect(activeKey('audit', registered, offered)).toBeNull();
  });

  it('is the newest registration of those that are offered', () => {
    const registered = [signer('a', ['audit']), signer('b', ['audit']), signer('c', ['audit'])];
    expect(activeKey('audit', registered, [key('a', ['audit']), key('b', ['audit'])])?.kid).toBe('b');
  });

  it('does not mind how the PEM is wrapped', () => {
    const registered = [signer('a', ['audit'], { public_key_pem: 'pem\nof a\n' })];
    expect(activeKey('audit', registered, [key('a', ['audit'], 'pem of a')])?.kid).toBe('a');
  });
});
