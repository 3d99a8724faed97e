import { registeredSigners, type SignerPurpose } from '#evidence';
import { TestSigner } from '#dev/testing';
import { FoldedRegistry } from '../fixtures/registry-events.fixture';
import { decideKeys, type KeyCommand, type KeyEvent } from './key-registry.decider';
import { KeyRegistryError } from './key-registry.error';

const START = Date.parse('2026-02-01T10:00:00.000Z');
const OVERLAP_MS = 60_000;
const at = (seconds: number): string => new Date(START + seconds * 1_000).toISOString();

const audit = (name: string, purposes: SignerPurpose[] = ['audit']) => new TestSigner(name, { purposes });
const A1 = audit('a1');
const A2 = audit('a2');
const M1 = audit('m1', ['manifest']);

/** A registry and its chain, a second apart: the founding is at 0. */
class Registry extends FoldedRegistry {
  constructor(...first: TestSigner[]) {
    super((seq) => at(seq - 1));
    for (const { kid, entry } of first) {
      this.take('signer.added', `signer/${kid}`, { signer: { ...entry } });
    }
  }

  decide(command: KeyCommand, seconds = this.seq - 1): KeyEvent[] {
    return decideKeys(this.state, command, { now: START + seconds * 1_000, overlapMs: OVERLAP_MS });
  }

  given(command: KeyCommand, seconds = this.seq - 1): this {
    for (const { type, stream, payload } of this.decide(command, seconds)) this.take(type, stream, payload);
    return this;
  }

  refused(command: KeyCommand, seconds = this.seq - 1): string {
    try {
      this.decide(command, seconds);
    } catch (error) {
      if (error instanceof KeyRegistryError) return error.code;
      throw error;
    }
    return 'nothing';
  }

  statuses(): string[] {
    return registeredSigners(this.state).map(({ signer_kid, status }) => `${signer_kid} ${status}`);
  }
}

const rotate = (from: TestSigner, to: TestSigner): KeyCommand => ({
  kind: 'rotate',
  from: from.kid,
  to: to.entry,
  counterSignature: to.provePossession('kernel.example.com/test', from.kid),
});
const emergency = (from: TestSigner, to: TestSigner, compromisedAt = at(0)): KeyCommand => ({
  ...(rotate(from, to) as Extract<KeyCommand, { kind: 'rotate' }>),
  kind: 'emergency',
  reason: 'found on a paste site',
  compromisedAt,
});
const retire = ({ kid }: TestSigner, held = ['a1', 'a2', 'm1']): KeyCommand => ({
  kind: 'retire',
  kid,
  reason: 'its year is over',
  held: new Set(held),
});
const compromise = ({ kid }: TestSigner): KeyCommand => ({
  kind: 'compromise',
  kid,
  reason: 'found on a paste site',
  compromisedAt: at(0),
  since: [{ shard: 0, seq: 1 }],
  reattested: [],
});

describe('decideKeys', () => {
  it('rotates: both keys are valid until the old one is retired, after the overlap', () => {
    const registry = new Registry(A1, M1).given(rotate(A1, A2));
    expect(registry.statuses()).toEqual(['a1 active', 'm1 active', 'a2 active']);
    expect(registry.refused(retire(A1), 3 + 59)).toBe('overlap');
    registry.given(retire(A1), 3 + 60);
    expect(registry.statuses()).toEqual(['a1 retired', 'm1 active', 'a2 active']);
  });

  it('retires no key while the backend does not hold the one in its place', () => {
    const registry = new Registry(A1, M1).given(rotate(A1, A2));
    const refused = () => registry.decide(retire(A1, ['a1', 'm1']), 3 + 60);
    expect(refused).toThrow(
      'Nothing could sign for audit without "a1": the signing backend does not hold "a2"',
    );
  });

  it('puts an emergency key in the place of a lost one, which ends there, and says then what is in doubt', () => {
    const registry = new Registry(A1, M1).given(emergency(A1, A2));
    expect(registry.statuses()).toEqual(['a1 compromised', 'm1 active', 'a2 active']);
    expect(registry.state.keys.get('a1')).toMatchObject({ ended: { seq: 4 }, doubt: null });
    registry.given(compromise(A1));
    expect(registry.state.keys.get('a1')?.doubt?.since).toEqual(new Map([[0, 1]]));
  });

  it.each([
    ['a retirement', new Registry(A1, M1).given(rotate(A1, A2)).given(retire(A1), 100), retire(A1)],
    ['an emergency', new Registry(A1, M1).given(emergency(A1, A2)), emergency(A1, audit('a3'))],
    [
      'a statement about a stolen key',
      new Registry(A1, M1).given(emergency(A1, A2)).given(compromise(A1)),
      compromise(A1),
    ],
  ])('decides nothing when it is asked for %s again', (_name, registry, command) => {
    expect(registry.decide(command, 200)).toEqual([]);
  });

  it.each([
    ['a rotation from an unknown key', rotate(audit('a9'), A2), 'signer_not_found'],
    ['a rotation to a registered name', rotate(A1, audit('m1')), 'signer_exists'],
    ['a rotation for another purpose', rotate(A1, audit('m2', ['manifest'])), 'wrong_purpose'],
    ['an emergency key for another purpose', emergency(A1, audit('m2', ['manifest'])), 'wrong_purpose'],
    ['the retirement of the key in force', retire(A1), 'key_in_force'],
    ['a statement about the key in force', compromise(A1), 'key_in_force'],
    ['the retirement of an unknown key', retire(audit('a9')), 'signer_not_found'],
    ['a theft that is yet to come', emergency(A1, A2, at(1_000)), 'invalid_since'],
  ])('refuses %s', (_name, command, code) => {
    expect(new Registry(A1, M1).refused(command)).toBe(code);
  });

  it('refuses a public key that has a name already, whatever became of it', () => {
    const again = rotate(A2, A1) as Extract<KeyCommand, { kind: 'rotate' }>;
    const renamed = { ...again, to: { ...A1.entry, signer_kid: 'a3' } };
    const registry = new Registry(A1, M1).given(rotate(A1, A2)).given(retire(A1), 100);
    expect(registry.refused(renamed)).toBe('signer_exists');
  });

  it('refuses to rotate away from a key that has ended', () => {
    const registry = new Registry(A1, M1).given(rotate(A1, A2)).given(retire(A1), 100);
    expect(registry.refused(rotate(A1, audit('a3')))).toBe('signer_not_active');
  });

  it('refuses a weak key', () => {
    const weak =
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n';
    const command = rotate(A1, A2) as Extract<KeyCommand, { kind: 'rotate' }>;
    const decide = () => new Registry(A1).decide({ ...command, to: { ...A2.entry, public_key_pem: weak } });
    expect(decide).toThrow(/small order/);
  });
});
