import { type JsonObject, type JsonValue } from '../json/json-value';
import { EvidenceError } from '../evidence.error';
import { evolveKeys, NO_KEYS, registeredSigners, type KeyRegistryState } from './key-registry';
import { KeyRing, type KeyUse } from './key-ring';
import { pemOfRawKey } from './public-key';
import { type SignerEntry } from './signers';

/** Public keys of the first vectors of RFC 8032, section 7.1. */
const KEYS = {
  k1: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  k2: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  k3: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
};

function signer(kid: keyof typeof KEYS, change: Partial<SignerEntry> = {}): SignerEntry {
  return {
    signer_kid: kid,
    algorithm: 'ed25519',
    public_key_pem: pemOfRawKey(Buffer.from(KEYS[kid], 'hex')),
    deployedAt: '2026-01-01T00:00:00.000Z',
    description: '',
    purposes: ['audit'],
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
    ...change,
  };
}

const at = (seconds: number): string =>
  new Date(Date.parse('2026-01-31T10:00:00.000Z') + seconds * 1_000).toISOString();

function event(type: string, payload: JsonObject, shard: number, seq: number, seconds = seq) {
  return { type, stream: 'signer/x', payload, shard, seq, ts: at(seconds), signerKid: 'k1' };
}

const SIGNATURE = Buffer.alloc(64, 1).toString('base64');
const replaced = (type: string, from: string, to: SignerEntry, seq: number, more: JsonObject = {}) =>
  event(type, { from, to: to as unknown as JsonValue, counterSignature: SIGNATURE, ...more }, 0, seq);

const added = (entry: SignerEntry, shard: number, seq: number, seconds?: number) =>
  event('signer.added', { signer: entry as unknown as JsonValue }, shard, seq, seconds);
const retired = (kid: string, shard: number, seq: number, seconds?: number) =>
  event('signer.retired', { signer_kid: kid, retiredAt: at(seconds ?? seq) }, shard, seq, seconds);

const use = (kid: string, shard: number, seq: number, seconds = seq): KeyUse => ({
  kid,
  shard,
  seq,
  ts: at(seconds),
});

function fold(...events: ReturnType<typeof event>[]): KeyRegistryState {
  return events.reduce(evolveKeys, NO_KEYS);
}

function refusal(action: () => unknown): { code: string; pointer: string | undefined } {
  try {
    action();
  } catch (error) {
    if (error instanceof EvidenceError) return { code: error.code, pointer: error.pointer };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('evolveKeys', () => {
  it('follows a key from its registration to its end', () => {
    const state = fold(
      added(signer('k1'), 0, 1),
      replaced('signer.rotated', 'k1', signer('k2'), 5),
      retired('k1', 0, 9),
      event('signer.compromised', { signer_kid: 'k1', compromisedAt: at(2) }, 0, 12),
    );
    expect(registeredSigners(state)).toEqual([
      signer('k1', { status: 'compromised', retiredAt: at(9), compromisedAt: at(2) }),
      signer('k2'),
    ]);
    // The event that ended it first counts.
    expect(state.keys.get('k1')?.ended).toEqual({ shard: 0, seq: 9, ts: at(9) });
  });

  it('changes nothing for events that do not speak for the registry', () => {
    const other = { ...added(signer('k1'), 0, 1), stream: 'upgrade/1' };
    expect(evolveKeys(NO_KEYS, other)).toBe(NO_KEYS);
    expect(evolveKeys(NO_KEYS, { ...added(signer('k1'), 0, 1), type: 'signer.noticed' })).toBe(NO_KEYS);
  });

  it('takes the same registration twice, but no other key under the name', () => {
    const state = fold(added(signer('k1'), 0, 1));
    expect(evolveKeys(state, added(signer('k1'), 0, 2))).toBe(state);
    const other = signer('k1', { public_key_pem: signer('k2').public_key_pem });
    expect(refusal(() => evolveKeys(state, added(other, 0, 2)))).toEqual({
      code: 'invalid_registry_event',
      pointer: '/payload/signer',
    });
  });

  it('does not let an ended key come back', () => {
    const state = fold(added(signer('k1'), 0, 1), retired('k1', 0, 2));
    expect(refusal(() => evolveKeys(state, added(signer('k1'), 0, 3))).code).toBe('invalid_registry_event');
  });

  it.each([
    ['an unknown key that retires', retired('k9', 0, 1), '/payload/signer_kid'],
    [
      'a rotation from an unknown key',
      event('signer.rotated', { from: 'k9', to: null }, 0, 1),
      '/payload/from',
    ],
    ['an end without a time', event('signer.retired', { signer_kid: 'k1' }, 0, 2), '/payload/retiredAt'],
    ['a signer without a name', event('signer.added', { signer: {} }, 0, 2), '/payload/signer/signer_kid'],
  ])('refuses %s', (_name, wrong, pointer) => {
    const state = fold(added(signer('k1'), 0, 1));
    expect(refusal(() => evolveKeys(state, wrong)).pointer).toBe(pointer);
  });

  it('ends a key where an emergency key comes in its place', () => {
    const state = fold(
      added(signer('k1'), 0, 1),
      replaced('signer.emergency', 'k1', signer('k2'), 5, { compromisedAt: at(3) }),
    );
    expect(state.keys.get('k1')).toMatchObject({
      entry: { status: 'compromised', compromisedAt: at(3) },
      ended: { seq: 5 },
      doubt: null,
    });
    expect(state.keys.get('k2')).toMatchObject({ added: { seq: 5 }, ended: null });
  });

  it.each([
    ['a second name for a public key', added({ ...signer('k1'), signer_kid: 'k4' }, 0, 2)],
    [
      'an emergency key that is the lost one under another name',
      replaced('signer.emergency', 'k1', { ...signer('k1'), signer_kid: 'k4' }, 2, { compromisedAt: at(1) }),
    ],
    [
      'a rotation without a counter-signature',
      replaced('signer.rotated', 'k1', signer('k2'), 2, { counterSignature: null }),
    ],
    [
      'half a counter-signature',
      replaced('signer.rotated', 'k1', signer('k2'), 2, { counterSignature: 'AAAA' }),
    ],
    ['an emergency without the time of the theft', replaced('signer.emergency', 'k1', signer('k2'), 2)],
  ])('refuses %s', (_name, wrong) => {
    expect(refusal(() => fold(added(signer('k1'), 0, 1), wrong)).code).toBe('invalid_registry_event');
  });

  describe('what was signed before a key was found compromised', () => {
    const HASH = 'ab'.repeat(32);
    const range = { shard: 0, from: { seq: 4, hash: HASH }, to: { seq: 6, hash: HASH }, count: 3 };
    const compromised = (more: JsonObject, seq = 7) =>
      event('signer.compromised', { signer_kid: 'k1', compromisedAt: at(3), ...more }, 0, seq);

    it('is in doubt from where it says, and vouched for where it says so', () => {
      const state = fold(
        added(signer('k1'), 0, 1),
        compromised({ since: [{ shard: 0, seq: 4 }], reattested: [range] }),
      );
      expect(state.keys.get('k1')?.doubt).toEqual({
        since: new Map([[0, 4]]),
        reattested: [range],
        by: { shard: 0, seq: 7, ts: at(7), signerKid: 'k1' },
      });
      const ring = new KeyRing([signer('k1')], { registry: state });
      expect(ring.judge(use('k1', 0, 3))).toEqual({ valid: true });
      expect(ring.judge(use('k1', 0, 5))).toMatchObject({ valid: true, reattested: { range } });
      expect(ring.judge(use('k1', 0, 7))).toMatchObject({ valid: false, code: 'key_not_valid' });
      expect(ring.judge(use('k1', 1, 9, 5))).toEqual({ valid: true });
    });

    it('is said once: a later event does not take it back', () => {
      const first = fold(added(signer('k1'), 0, 1), compromised({ since: [{ shard: 0, seq: 4 }] }));
      const again = compromised({ since: [{ shard: 0, seq: 6 }], reattested: [range] }, 8);
      expect(evolveKeys(first, again).keys.get('k1')?.doubt).toMatchObject({
        by: { seq: 7 },
        reattested: [],
      });
    });

    it.each([
      ['no list', { since: 4 }, '/payload/since'],
      ['a position below 1', { since: [{ shard: 0, seq: 0 }] }, '/payload/since/0'],
      [
        'a range that runs backwards',
        { reattested: [{ ...range, from: { seq: 9, hash: HASH } }] },
        '/payload/reattested/0',
      ],
      [
        'a range without a hash',
        { reattested: [{ ...range, to: { seq: 6, hash: 'x' } }] },
        '/payload/reattested/0',
      ],
      ['an unknown member', { reattested: [{ ...range, note: '' }] }, '/payload/reattested/0'],
    ] as [string, JsonObject, string][])('is refused with %s', (_name, more, pointer) => {
      const wrong = compromised({ since: [], ...more });
      expect(refusal(() => fold(added(signer('k1'), 0, 1), wrong)).pointer).toBe(pointer);
    });
  });

  it('refuses a weak key', () => {
    const weak = signer('k1', { public_key_pem: pemOfRawKey(new Uint8Array(32)) });
    expect(refusal(() => evolveKeys(NO_KEYS, added(weak, 0, 1)))).toEqual({
      code: 'weak_public_key',
      pointer: '/payload/signer/public_key_pem',
    });
  });

  it('takes no key again that has ended', () => {
    const events = [added(signer('k1'), 0, 1), added(signer('k2'), 0, 2), retired('k1', 0, 3)];
    expect(refusal(() => fold(...events, added(signer('k1'), 0, 4))).code).toBe('invalid_registry_event');
  });
});

describe('KeyRing', () => {
  const roots = [signer('k1'), signer('k2'), signer('k3', { purposes: ['manifest'] })];
  const registry = fold(added(signer('k1'), 0, 1), added(signer('k2'), 0, 10), retired('k1', 0, 20));
  const verdict = (given: KeyUse, ring = new KeyRing(roots, { registry })): string => {
    const found = ring.judge(given);
    return found.valid ? 'valid' : found.code;
  };

  it.each([
    [use('k1', 0, 1), 'valid'],
    [use('k1', 0, 20), 'valid'],
    [use('k1', 0, 21), 'key_not_valid'],
    [use('k2', 0, 9), 'key_not_valid'],
    [use('k2', 0, 10), 'valid'],
    [use('k3', 0, 11), 'key_not_valid'],
    [use('k9', 0, 11), 'unknown_key'],
  ])('in the shard of the registry positions decide: %j is %s', (given, expected) => {
    expect(verdict(given)).toBe(expected);
  });

  it.each([
    [use('k2', 1, 1, -60), 'valid'],
    [use('k2', 1, 1, 2), 'valid'],
    [use('k1', 1, 5, 80), 'valid'],
    [use('k1', 1, 5, 81), 'key_not_valid'],
  ])('in other shards time decides, with a minute of tolerance: %j is %s', (given, expected) => {
    expect(verdict(given)).toBe(expected);
  });

  it('refuses a key in another shard long before it was added, once there is a registry', () => {
    const late = fold(added(signer('k1'), 0, 1, 0), added(signer('k2'), 0, 10, 1_000));
    const ring = new KeyRing(roots, { registry: late });
    expect(verdict(use('k2', 1, 1, 500), ring)).toBe('key_not_valid');
    expect(verdict(use('k2', 1, 1, 941), ring)).toBe('valid');
  });

  it('lets the trust root decide before the registry begins', () => {
    expect(verdict(use('k2', 0, 5), new KeyRing(roots))).toBe('valid');
    const begins = new KeyRing(roots, { registry: fold(added(signer('k1'), 0, 10)) });
    expect(verdict(use('k1', 0, 5), begins)).toBe('valid');
    expect(verdict(use('k2', 0, 5), begins)).toBe('valid');
    expect(verdict(use('k2', 0, 11), begins)).toBe('key_not_valid');
  });

  it('does not count keys for other purposes as the beginning of the registry', () => {
    const manifestFirst = new KeyRing(roots, {
      registry: fold(added(signer('k3', { purposes: ['manifest'] }), 0, 1), added(signer('k1'), 0, 2)),
    });
    expect(verdict(use('k1', 0, 1), manifestFirst)).toBe('valid');
  });

  it('refuses a key that was registered for another purpose, or with other bytes', () => {
    const wrongPurpose = fold(added(signer('k1', { purposes: ['manifest'] }), 0, 1));
    expect(verdict(use('k1', 0, 2), new KeyRing(roots, { registry: wrongPurpose }))).toBe('key_not_valid');
    const wrongBytes = fold(added(signer('k1', { public_key_pem: signer('k3').public_key_pem }), 0, 1));
    expect(verdict(use('k1', 0, 2), new KeyRing(roots, { registry: wrongBytes }))).toBe('key_not_valid');
  });

  it('accepts another line length of the same PEM', () => {
    const wrapped = signer('k1').public_key_pem.replace(/([A-Za-z0-9+/=]{20})(?=[A-Za-z0-9+/=])/g, '$1\n');
    const registryWithIt = fold(added(signer('k1', { public_key_pem: wrapped }), 0, 1));
    expect(verdict(use('k1', 0, 2), new KeyRing(roots, { registry: registryWithIt }))).toBe('valid');
  });
});
