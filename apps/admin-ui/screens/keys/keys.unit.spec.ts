import { hexEncode, parseNoteKey } from '#evidence';
import { compromiseEffects, rotationEffects, rotationManifest } from './effects';
import { fingerprintOf, logKeyOf, type RegisteredKey, signsFor, spanRows, spanText } from './key-facts';
import { sinceOf } from './since';

/** Public key of the first test of RFC 8032, section 7.1. */
const RAW = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const pem =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n';

function key(kid: string, part: Partial<RegisteredKey> = {}): RegisteredKey {
  return {
    signer_kid: kid,
    algorithm: 'ed25519',
    public_key_pem: pem,
    deployedAt: '2026-01-31T10:00:00.000Z',
    description: '',
    purposes: ['audit'],
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
    ...part,
  };
}

describe('a fingerprint', () => {
  it('is the SHA-256 of the DER', () => {
    // openssl pkey -pubin -outform DER | sha256sum
    expect(fingerprintOf(pem)).toBe('06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9');
  });

  it('is none of what is no key', () => {
    expect(fingerprintOf('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')).toBeNull();
  });
});

describe('which key signs now', () => {
  it('is the active one that was registered last', () => {
    const signers = [key('a1'), key('m1', { purposes: ['manifest'] }), key('a2')];
    expect(signsFor(signers, 'a1')).toEqual([]);
    expect(signsFor(signers, 'a2')).toEqual(['audit']);
    expect(signsFor([key('a1'), key('a2', { status: 'compromised' })], 'a1')).toEqual(['audit']);
  });
});

describe('the key of the log', () => {
  it('is read back by verifiers', () => {
    const text = logKeyOf([key('c1', { purposes: ['checkpoint'] })], 'kernel.example.com/prod', 2) ?? '';
    const { name, type, raw } = parseNoteKey(text);
    expect({ name, type }).toEqual({ name: 'kernel.example.com/prod/log/2', type: 'ed25519' });
    expect(hexEncode(raw)).toBe(RAW);
  });

  it('is none without a checkpoint key', () => {
    expect(logKeyOf([key('a1')], 'kernel.example.com/prod', 0)).toBeNull();
  });
});

describe('where a key signs', () => {
  it('is after one position up to another', () => {
    const rows = spanRows({
      after: [
        { shard: 0, seq: 0 },
        { shard: 1, seq: 40 },
      ],
      until: [
        { shard: 0, seq: 9 },
        { shard: 1, seq: 40 },
      ],
      since: [{ shard: 0, seq: 7 }],
    });
    expect(rows).toEqual([
      { shard: 0, from: 1, until: 9, doubtFrom: 7 },
      { shard: 1, from: 41, until: 40, doubtFrom: 41 },
    ]);
    expect(rows.map(spanText)).toEqual(['from 1 to 9', 'nothing']);
  });

  it('is open for a key that has not ended', () => {
    const rows = spanRows({ after: [{ shard: 0, seq: 0 }], until: null, since: null });
    expect(rows).toEqual([{ shard: 0, from: 1, until: null, doubtFrom: null }]);
    expect(rows.map(spanText)).toEqual(['from 1 on']);
    expect(spanRows(undefined)).toEqual([]);
  });
});

describe('since when a key was with others', () => {
  it.each([
    ['0:1041', { shard: 0, seq: 1041 }],
    ['3:7', { shard: 3, seq: 7 }],
    ['1041', { shard: 0, seq: 1041 }],
    [' 2026-05-03T16:00:00+02:00 ', { ts: '2026-05-03T14:00:00.000Z' }],
  ])('%s', (text, expected) => {
    expect(sinceOf(text)).toEqual(expected);
  });

  it.each(['', 'yesterday', '2026-05-03', '2026-05-03T14:00:00', '0:', ':5', '-1'])('not %s', (text) => {
    expect(sinceOf(text)).toBeNull();
  });
});

describe('what would happen', () => {
  const candidates = {
    candidates: [{ ...key('a2') }],
    inForce: { audit: 'a1' },
    directRotation: ['checkpoint' as const],
  };

  it('says whether approvers are needed', () => {
    expect(rotationEffects(candidates, 'audit', 'a2').join(' ')).toMatch(
      /a1 is replaced by a2.*upgrade is proposed/,
    );
    expect(rotationEffects(candidates, 'checkpoint', 'c2').join(' ')).toMatch(/done at once/);
  });

  it('proposes what the command line proposes', () => {
    expect(rotationManifest(candidates, 'audit', 'a2', ' ')).toEqual({
      upgradeId: 'rotate-a2',
      type: 'signer_rotation',
      rationale: 'a2 in the place of a1 for audit',
      from: 'a1',
      signer: candidates.candidates[0],
      autoApply: true,
    });
    expect(rotationManifest(candidates, 'audit', 'a3', '')).toBeNull();
    expect(rotationManifest(candidates, 'manifest', 'a2', '')).toBeNull();
  });

  it('says that writes wait for an audit key alone', () => {
    const part = { kid: 'a1', since: '0:7', emergencyKid: null, stayReadOnly: true };
    expect(compromiseEffects({ ...part, isAuditKey: true })[1]).toBe(
      'The first candidate that fits signs in its place; writes wait meanwhile, and the kernel stays read-only.',
    );
    expect(compromiseEffects({ ...part, isAuditKey: false, stayReadOnly: false })[1]).toBe(
      'The first candidate that fits signs in its place.',
    );
  });
});
