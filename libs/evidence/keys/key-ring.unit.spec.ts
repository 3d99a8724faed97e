import { sha256Hex } from '#evidence-crypto';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { EvidenceError } from '../evidence.error';
import { foundingPayload } from './founding';
import {
  evolveKeys,
  NO_KEYS,
  registeredSigners,
  spannedSigners,
  spanOf,
  type KeyRegistryState,
  type RegisteredKey,
  type RegistryEvent,
} from './key-registry';
import { KeyRing, type KeyRingOptions, type KeyUse } from './key-ring';
import { type KeySpan } from './key-span';
import { pemOfRawKey } from './public-key';
import { emptyHeads } from './shard-heads';
import { type TrustedSigner } from './signers';
import { type TrustRoot } from './trust-root';

/** Public keys of the first vectors of RFC 8032, section 7.1. */
const KEYS = {
  k1: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  k2: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  k3: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
};
const ORIGIN = 'kernel.example.com/test';
const SHARDS = 2;

function signer(kid: keyof typeof KEYS, change: Partial<TrustedSigner> = {}): TrustedSigner {
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
const hashAt = (shard: number, seq: number): string =>
  seq === 0 ? (emptyHeads(ORIGIN, SHARDS)[shard]?.hash ?? '') : sha256Hex(`${shard}:${seq}`);

/** Heads when shard 1 is at `other`. */
const heads = (seq: number, other: number): JsonObject[] => [
  { shard: 0, seq: seq - 1, hash: hashAt(0, seq - 1) },
  { shard: 1, seq: other, hash: hashAt(1, other) },
];

function event(type: string, payload: JsonObject, seq: number, more: Partial<RegistryEvent> = {}) {
  return {
    type,
    stream: 'signer/x',
    payload: { heads: heads(seq, 0), ...payload },
    shard: 0,
    seq,
    ts: at(seq),
    signerKid: 'k1',
    prevHash: hashAt(0, seq - 1),
    ...more,
  };
}

const SIGNATURE = Buffer.alloc(64, 1).toString('base64');
const replaced = (type: string, from: string, to: TrustedSigner, seq: number, more: JsonObject = {}) =>
  event(type, { from, to: to as unknown as JsonValue, counterSignature: SIGNATURE, ...more }, seq);
const added = (entry: TrustedSigner, seq: number, more: JsonObject = {}) =>
  event('signer.added', { signer: entry as unknown as JsonValue, ...more }, seq);
const retired = (kid: string, seq: number, more: JsonObject = {}, signerKid = 'k2') =>
  event('signer.retired', { signer_kid: kid, retiredAt: at(seq), ...more }, seq, { signerKid });
const FOUNDED: RegistryEvent = {
  ...event('kernel.founded', {}, 1),
  stream: 'kernel/founding',
  payload: foundingPayload({ origin: ORIGIN, shards: SHARDS, approverPool: null }),
};

function fold(...events: RegistryEvent[]): KeyRegistryState {
  return events.reduce(evolveKeys, NO_KEYS);
}
/** Two keys, of which the first is founding, and the second comes at 0:10, when shard 1 is at 5. */
const START = [FOUNDED, added(signer('k1'), 2), added(signer('k2'), 10, { heads: heads(10, 5) })];

function refusal(action: () => unknown): { code: string; pointer: string | undefined } {
  try {
    action();
  } catch (error) {
    if (error instanceof EvidenceError) return { code: error.code, pointer: error.pointer };
    throw error;
  }
  throw new Error('nothing was refused');
}

const keyOf = (state: KeyRegistryState, kid: string): RegisteredKey => {
  const key = state.keys.get(kid);
  if (key === undefined) throw new Error(`${kid} is not registered`);
  return key;
};

describe('evolveKeys', () => {
  it('follows a key from its registration to its end', () => {
    const state = fold(
      FOUNDED,
      added(signer('k1'), 2),
      replaced('signer.rotated', 'k1', signer('k2'), 5),
      retired('k1', 9, { heads: heads(9, 3) }),
      event('signer.compromised', { signer_kid: 'k1', compromisedAt: at(2), heads: heads(12, 4) }, 12, {
        signerKid: 'k2',
      }),
    );
    expect(registeredSigners(state)).toEqual([
      signer('k1', { status: 'compromised', retiredAt: at(9), compromisedAt: at(2) }),
      signer('k2'),
    ]);
    // The event that ended it first counts; without `since`, all of what it signed is in doubt.
    expect(spannedSigners(state)[0]?.span).toEqual({
      after: [
        { shard: 0, seq: 0 },
        { shard: 1, seq: 0 },
      ],
      until: [
        { shard: 0, seq: 9 },
        { shard: 1, seq: 3 },
      ],
      since: [
        { shard: 0, seq: 1 },
        { shard: 1, seq: 1 },
      ],
    });
  });

  it('changes nothing for events that do not speak for the registry', () => {
    const state = fold(FOUNDED);
    expect(evolveKeys(state, { ...added(signer('k1'), 2), stream: 'upgrade/1' })).toBe(state);
    expect(evolveKeys(state, { ...added(signer('k1'), 2), type: 'signer.noticed' })).toBe(state);
  });

  it('takes the same registration twice, but no other key under the name', () => {
    const state = fold(FOUNDED, added(signer('k1'), 2));
    expect(evolveKeys(state, added(signer('k1'), 3)).keys).toBe(state.keys);
    const other = signer('k1', { public_key_pem: signer('k2').public_key_pem });
    expect(refusal(() => evolveKeys(state, added(other, 3)))).toEqual({
      code: 'invalid_registry_event',
      pointer: '/payload/signer',
    });
  });

  it('does not let an ended key come back', () => {
    const state = fold(...START, retired('k1', 20, { heads: heads(20, 5) }));
    expect(refusal(() => evolveKeys(state, added(signer('k1'), 21, { heads: heads(21, 5) }))).code).toBe(
      'invalid_registry_event',
    );
  });

  it.each([
    ['an unknown key that retires', retired('k9', 3), '/payload/signer_kid'],
    ['a rotation from an unknown key', event('signer.rotated', { from: 'k9', to: null }, 3), '/payload/from'],
    [
      'an end without a time',
      event('signer.retired', { signer_kid: 'k1' }, 3, { signerKid: 'k2' }),
      '/payload/retiredAt',
    ],
    [
      'an end at a time that is no RFC 3339',
      retired('k1', 3, { retiredAt: 'Jan 31, 2026 10:00 UTC' }, 'k2'),
      '/payload/retiredAt',
    ],
    ['a signer without a name', event('signer.added', { signer: {} }, 3), '/payload/signer/signer_kid'],
    ['a signer that has ended', added(signer('k2', { status: 'retired' }), 3), '/payload/signer/status'],
    ['a key that ends itself', retired('k1', 3, {}, 'k1'), ''],
    ['another shard', { ...added(signer('k2'), 3), shard: 1 }, ''],
    ['no heads', added(signer('k2'), 3, { heads: null }), '/payload/heads'],
    ['too few heads', added(signer('k2'), 3, { heads: heads(3, 0).slice(0, 1) }), '/payload/heads'],
    ['heads in another order', added(signer('k2'), 3, { heads: heads(3, 0).reverse() }), '/payload/heads'],
    [
      'a shard twice',
      added(signer('k2'), 3, { heads: [heads(3, 0)[0], heads(3, 0)[0]] as JsonValue }),
      '/payload/heads',
    ],
    [
      'a head of shard 0 that is not its predecessor',
      added(signer('k2'), 3, { heads: heads(2, 0) }),
      '/payload/heads',
    ],
    [
      'a hash that is none',
      added(signer('k2'), 3, { heads: [heads(3, 0)[0], { shard: 1, seq: 1, hash: 'x' }] as JsonValue }),
      '/payload/heads',
    ],
    [
      'an empty shard with another hash than the genesis value',
      added(signer('k2'), 3, {
        heads: [heads(3, 0)[0], { shard: 1, seq: 0, hash: 'a'.repeat(64) }] as JsonValue,
      }),
      '/payload/heads/1',
    ],
    ['a second founding', { ...FOUNDED, seq: 3 }, ''],
    [
      'another event in the stream of the founding',
      { ...added(signer('k2'), 3), stream: 'kernel/founding' },
      '',
    ],
  ] as [string, RegistryEvent, string][])('refuses %s', (_name, wrong, pointer) => {
    const state = fold(FOUNDED, added(signer('k1'), 2));
    expect(refusal(() => evolveKeys(state, wrong))).toMatchObject({ pointer });
  });

  it('refuses heads that go back', () => {
    const wrong = retired('k1', 20, { heads: heads(20, 4) });
    expect(refusal(() => fold(...START, wrong)).pointer).toBe('/payload/heads/1');
  });

  it('refuses everything before the founding', () => {
    expect(refusal(() => fold(added(signer('k1'), 1))).code).toBe('invalid_registry_event');
  });

  it.each([
    ['an unknown member', { note: 1 }],
    ['no shards', { shards: 0 }],
    ['too many shards', { shards: 257 }],
    ['no formats', { formats: [] }],
    ['another pool than the first', { approverPool: { version: 2, sha256: 'a'.repeat(64) } }],
    ['an origin that is none', { origin: 'a b' }],
  ] as [string, JsonObject][])('refuses a founding with %s', (_name, change) => {
    const wrong = { ...FOUNDED, payload: { ...FOUNDED.payload, ...change } };
    expect(refusal(() => fold(wrong)).code).toBe('invalid_founding');
  });

  it('takes for founding events the unbroken run of additions with the founding heads', () => {
    const state = fold(
      FOUNDED,
      added(signer('k3', { purposes: ['manifest'] }), 2),
      added(signer('k1'), 3),
      added(signer('k2'), 5),
    );
    expect(state.foundedUntil).toBe(3);
    expect(['k1', 'k2', 'k3'].map((kid) => spanOf(keyOf(state, kid)).after[0]?.seq)).toEqual([0, 4, 1]);
    const later = fold(FOUNDED, added(signer('k1'), 2, { heads: heads(2, 1) }));
    expect(later.foundedUntil).toBe(1);
  });

  it('ends a key where an emergency key comes in its place', () => {
    const state = fold(
      FOUNDED,
      added(signer('k1'), 2),
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
    ['a second name for a public key', added({ ...signer('k1'), signer_kid: 'k4' }, 3)],
    [
      'an emergency key that is the lost one under another name',
      replaced('signer.emergency', 'k1', { ...signer('k1'), signer_kid: 'k4' }, 3, { compromisedAt: at(1) }),
    ],
    [
      'a rotation without a counter-signature',
      replaced('signer.rotated', 'k1', signer('k2'), 3, { counterSignature: null }),
    ],
    [
      'half a counter-signature',
      replaced('signer.rotated', 'k1', signer('k2'), 3, { counterSignature: 'AAAA' }),
    ],
    ['an emergency without the time of the theft', replaced('signer.emergency', 'k1', signer('k2'), 3)],
  ])('refuses %s', (_name, wrong) => {
    expect(refusal(() => fold(FOUNDED, added(signer('k1'), 2), wrong)).code).toBe('invalid_registry_event');
  });

  it('refuses a weak key', () => {
    const weak = signer('k1', { public_key_pem: pemOfRawKey(new Uint8Array(32)) });
    expect(refusal(() => fold(FOUNDED, added(weak, 2)))).toEqual({
      code: 'weak_public_key',
      pointer: '/payload/signer/public_key_pem',
    });
  });
});

describe('KeyRing', () => {
  const trust = (signers: TrustedSigner[], more: Partial<TrustRoot> = {}): TrustRoot => ({
    origin: ORIGIN,
    shards: SHARDS,
    signers,
    ...more,
  });
  const roots = [signer('k1'), signer('k2'), signer('k3', { purposes: ['manifest'] })];
  const use = (kid: string, shard: number, seq: number): KeyUse => ({ kid, shard, seq });
  const registry = fold(...START, retired('k1', 20, { heads: heads(20, 8) }));
  const ringOf = (signers: TrustedSigner[], options: KeyRingOptions): KeyRing =>
    new KeyRing(trust(signers), options);
  const verdict = (given: KeyUse, ring = ringOf(roots, { registry })): string => {
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
    [use('k1', 1, 1), 'valid'],
    [use('k1', 1, 8), 'valid'],
    [use('k1', 1, 9), 'key_not_valid'],
    [use('k2', 1, 5), 'key_not_valid'],
    [use('k2', 1, 6), 'valid'],
    [use('k2', 2, 1), 'unknown_shard'],
  ])('decides by positions alone: %j is %s', (given, expected) => {
    expect(verdict(given)).toBe(expected);
  });

  it('takes in nothing by a key that the trust root does not have, at the founding neither', () => {
    const ring = ringOf(roots, {});
    ring.apply({ ...FOUNDED, signerKid: 'k9' });
    expect(ring.registry.founding).toBeNull();
    ring.apply(FOUNDED);
    ring.apply({ ...added(signer('k3'), 2), signerKid: 'k9' });
    expect([...ring.registry.keys.keys()]).toEqual([]);
  });

  it('accepts nothing before the registry', () => {
    expect(verdict(use('k2', 0, 5), ringOf(roots, {}))).toBe('key_not_valid');
    expect(verdict(use('k2', 0, 1), ringOf(roots, { registry: fold(...START) }))).toBe('key_not_valid');
  });

  it('refuses a key that was registered for another purpose, or with other bytes', () => {
    const wrongPurpose = fold(FOUNDED, added(signer('k1', { purposes: ['manifest'] }), 2));
    expect(verdict(use('k1', 0, 3), ringOf(roots, { registry: wrongPurpose }))).toBe('key_not_valid');
    const wrongBytes = fold(FOUNDED, added(signer('k1', { public_key_pem: signer('k3').public_key_pem }), 2));
    expect(verdict(use('k1', 0, 3), ringOf(roots, { registry: wrongBytes }))).toBe('key_not_valid');
  });

  it('accepts another line length of the same PEM', () => {
    const wrapped = signer('k1').public_key_pem.replace(/([A-Za-z0-9+/=]{20})(?=[A-Za-z0-9+/=])/g, '$1\n');
    const state = fold(FOUNDED, added(signer('k1', { public_key_pem: wrapped }), 2));
    expect(verdict(use('k1', 0, 2), ringOf(roots, { registry: state }))).toBe('valid');
  });

  it('gives a registry event by a key that was not valid there no effect', () => {
    const ring = ringOf(roots, { registry });
    ring.apply(added(signer('k3'), 25, { heads: heads(25, 9) }));
    expect(ring.registry.keys.has('k3')).toBe(false);
    ring.apply({ ...added(signer('k3'), 25, { heads: heads(25, 9) }), signerKid: 'k2' });
    expect(ring.registry.keys.has('k3')).toBe(true);
  });

  it.each([
    ['the origin', { origin: 'kernel.example.com/other' }],
    ['the number of shards', { shards: 3 }],
    ['the first pool', { firstPool: { version: 1, sha256: 'a'.repeat(64) } }],
  ] as [string, Partial<TrustRoot>][])('refuses a founding that differs in %s', (_name, more) => {
    const ring = new KeyRing(trust(roots, more));
    expect(refusal(() => ring.apply(FOUNDED)).code).toBe('invalid_founding');
  });

  describe('what was signed before a key was found compromised', () => {
    const HASH = 'ab'.repeat(32);
    const range = { shard: 0, from: { seq: 14, hash: HASH }, to: { seq: 16, hash: HASH }, count: 3 };
    const compromised = (more: JsonObject, seq = 17) =>
      event(
        'signer.compromised',
        { signer_kid: 'k1', compromisedAt: at(3), heads: heads(seq, 8), ...more },
        seq,
        {
          signerKid: 'k2',
        },
      );
    const checkpoint = signer('k3', { purposes: ['checkpoint'] });

    it('is in doubt from where it says, and vouched for where it says so', () => {
      const state = fold(
        ...START,
        compromised({
          since: [
            { shard: 0, seq: 14 },
            { shard: 1, seq: 7 },
          ],
          reattested: [range],
        }),
      );
      const ring = ringOf(roots, { registry: state });
      expect(ring.judge(use('k1', 0, 13))).toEqual({ valid: true });
      expect(ring.judge(use('k1', 0, 15))).toMatchObject({ valid: true, reattested: { range } });
      expect(ring.judge(use('k1', 0, 17))).toMatchObject({ valid: false, code: 'key_not_valid' });
      expect(ring.judge(use('k1', 1, 6))).toEqual({ valid: true });
      expect(ring.judge(use('k1', 1, 7))).toMatchObject({ valid: false });
    });

    it('is in doubt in all of a shard that the statement does not list', () => {
      const state = fold(...START, compromised({ since: [{ shard: 0, seq: 14 }] }));
      const ring = ringOf(roots, { registry: state });
      expect(ring.judge(use('k1', 0, 13))).toEqual({ valid: true });
      expect(ring.judge(use('k1', 1, 1))).toMatchObject({ valid: false, code: 'key_not_valid' });
    });

    it('is in doubt everywhere when the statement says nothing', () => {
      const ring = ringOf(roots, { registry: fold(...START, compromised({})) });
      expect(ring.judge(use('k1', 0, 2))).toMatchObject({ valid: false });
    });

    it('holds when a checkpoint from before the statement includes it', () => {
      const state = fold(...START, compromised({ since: [{ shard: 0, seq: 14 }] }));
      const judged = (size: number, seq: number, key = checkpoint): boolean =>
        ringOf([signer('k1'), key], { registry: state, checkpoints: [{ shard: 1, size, kid: 'k3' }] }).judge(
          use('k1', 1, seq),
        ).valid;
      expect(judged(8, 8)).toBe(true);
      expect(judged(7, 7)).toBe(true);
      expect(judged(7, 8)).toBe(false);
      // Made when the key was already known to be lost.
      expect(judged(9, 8)).toBe(false);
      expect(judged(8, 8, { ...checkpoint, status: 'compromised', compromisedAt: at(1) })).toBe(false);
      expect(judged(8, 8, { ...checkpoint, purposes: ['manifest'] })).toBe(false);
    });

    it('is said once: a later event does not take it back', () => {
      const first = fold(...START, compromised({ since: [{ shard: 0, seq: 4 }] }));
      const again = compromised({ since: [{ shard: 0, seq: 6 }], reattested: [range] }, 18);
      expect(evolveKeys(first, again).keys.get('k1')?.doubt).toMatchObject({
        by: { seq: 17 },
        reattested: [],
      });
    });

    it.each([
      ['no list', { since: 4 }, '/payload/since'],
      ['a position below 1', { since: [{ shard: 0, seq: 0 }] }, '/payload/since/0'],
      [
        'a shard twice',
        {
          since: [
            { shard: 0, seq: 3 },
            { shard: 0, seq: 9 },
          ],
        },
        '/payload/since',
      ],
      [
        'a range that runs backwards',
        { reattested: [{ ...range, from: { seq: 19, hash: HASH } }] },
        '/payload/reattested/0',
      ],
      [
        'a range without a hash',
        { reattested: [{ ...range, to: { seq: 16, hash: 'x' } }] },
        '/payload/reattested/0',
      ],
      ['an unknown member', { reattested: [{ ...range, note: '' }] }, '/payload/reattested/0'],
    ] as [string, JsonObject, string][])('is refused with %s', (_name, more, pointer) => {
      const wrong = compromised({ since: [], ...more });
      expect(refusal(() => fold(...START, wrong)).pointer).toBe(pointer);
    });
  });

  describe('with spans in the trust root', () => {
    const positions = (...seqs: number[]) => seqs.map((seq, shard) => ({ shard, seq }));
    const span = (
      after: number[],
      until: number[] | null = null,
      since: number[] | null = null,
    ): KeySpan => ({
      after: positions(...after),
      until: until === null ? null : positions(...until),
      since: since === null ? null : positions(...since),
    });
    const ended = (given: KeySpan): TrustedSigner =>
      signer('k1', { status: 'compromised', compromisedAt: at(1), span: given });

    it('judges a part of the evidence by them', () => {
      const ring = ringOf([ended(span([0, 0], [20, 8], [14, 7]))], { partial: true });
      expect(verdict(use('k1', 0, 13), ring)).toBe('valid');
      expect(verdict(use('k1', 0, 14), ring)).toBe('key_not_valid');
      expect(verdict(use('k1', 1, 6), ring)).toBe('valid');
      expect(verdict(use('k1', 1, 9), ring)).toBe('key_not_valid');
      const later = ringOf([signer('k2', { span: span([9, 5]) })], { partial: true });
      expect(verdict(use('k2', 1, 5), later)).toBe('key_not_valid');
      expect(verdict(use('k2', 1, 6), later)).toBe('valid');
    });

    it('takes registry events of such a part from there on', () => {
      const ring = ringOf([signer('k1', { span: span([0, 0]) }), signer('k2')], { partial: true });
      ring.apply(replaced('signer.rotated', 'k1', signer('k2'), 30, { heads: heads(30, 9) }));
      expect(verdict(use('k2', 1, 10), ring)).toBe('valid');
      expect(verdict(use('k2', 1, 9), ring)).toBe('key_not_valid');
    });

    it('follows the event that ends a lost key, though that key signed it where it is in doubt', () => {
      const k2 = signer('k2', { span: span([9, 5]) });
      const k3 = signer('k3', { span: span([19, 8]) });
      const ring = ringOf([ended(span([0, 0], [20, 8], [14, 7])), k2, k3], {});
      for (const one of START) ring.apply(one);
      const emergency = { compromisedAt: at(1), heads: heads(20, 8) };
      ring.apply(replaced('signer.emergency', 'k1', signer('k3'), 20, emergency));
      expect(verdict(use('k3', 1, 9), ring)).toBe('valid');
      // The event itself, and what else the key signed there, waits for a statement.
      expect(verdict(use('k1', 0, 20), ring)).toBe('key_not_valid');
    });

    it('does not know where a key signs that has none', () => {
      const ring = ringOf([signer('k1')], { partial: true });
      expect(ring.judge(use('k1', 0, 30))).toMatchObject({ valid: false, final: false });
    });

    it('does not accept a key that has ended somewhere that nothing says', () => {
      for (const status of ['retired', 'compromised'] as const) {
        const ring = ringOf([signer('k1', { status })], { registry: fold(...START) });
        expect(verdict(use('k1', 0, 3), ring)).toBe('key_not_valid');
      }
    });

    it('takes the stricter of trust root and chain', () => {
      const byRoot = ringOf([ended(span([0, 0], [20, 8], [14, 7]))], { registry: fold(...START) });
      expect(verdict(use('k1', 0, 13), byRoot)).toBe('valid');
      expect(verdict(use('k1', 0, 14), byRoot)).toBe('key_not_valid');
    });

    it.each<[string, TrustedSigner, number]>([
      ['begins elsewhere', signer('k2', { span: span([9, 4]) }), 1],
      ['begins where they say', signer('k2', { span: span([9, 5]) }), 0],
      ['was added by an event that is not there', signer('k3', { span: span([11, 5]) }), 1],
      ['is added later than the evidence goes', signer('k3', { span: span([99, 5]) }), 0],
      ['ends elsewhere', ended(span([0, 0], [20, 7])), 1],
      ['ends where they say', ended(span([0, 0], [20, 8])), 0],
      ['does not end, as an older file has it', signer('k1', { span: span([0, 0]) }), 0],
      ['ends where nothing ends it', signer('k2', { status: 'retired', span: span([9, 5], [15, 6]) }), 1],
      [
        'ends later than the evidence goes',
        signer('k2', { status: 'retired', span: span([9, 5], [60, 9]) }),
        0,
      ],
    ])('compares them with the chain: a key that %s', (_name, root, count) => {
      expect(ringOf([root], { registry }).contradictions(50)).toHaveLength(count);
    });
  });
});
