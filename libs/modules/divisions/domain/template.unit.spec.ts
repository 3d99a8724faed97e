import { generateKeyPairSync, sign } from 'node:crypto';
import {
  buildEnvelope,
  dssePae,
  type Envelope,
  type JsonObject,
  type JsonValue,
  MANIFEST_PAYLOAD_TYPE,
  manifestDigest,
  manifestStatement,
  type TrustedSigner,
} from '#evidence';
import { recorded } from '#dev/testing';
import { refusalOf } from '../fixtures/refusal.fixture';
import { assertSigned, assertSignedOnce, isSameEnvelope, recordedSignature, templateFor } from './template';

const ORIGIN = 'kernel.example.com/test';
const MANIFEST: JsonObject = { id: 'worker', version: '1.0.0', kind: 'agent' };

const keys = generateKeyPairSync('ed25519');
/** Signs in shard 0 after position 2, and until 9 when it has ended. */
const signer = (status: TrustedSigner['status'] = 'active'): TrustedSigner => ({
  signer_kid: 'manifest-1',
  algorithm: 'ed25519',
  public_key_pem: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  deployedAt: '2026-01-01T00:00:00.000Z',
  description: '',
  purposes: ['manifest'],
  status,
  retiredAt: null,
  compromisedAt: status === 'compromised' ? '2026-02-01T00:00:00.000Z' : null,
  span: {
    after: [{ shard: 0, seq: 2 }],
    until: status === 'active' ? null : [{ shard: 0, seq: 9 }],
    since: status === 'compromised' ? [{ shard: 0, seq: 6 }] : null,
  },
});

function signed(
  manifest: JsonObject = MANIFEST,
  more: { origin?: string; kind?: string; division?: string } = {},
): Envelope {
  const payload = manifestStatement({
    manifestId: 'worker',
    version: '1.0.0',
    kind: more.kind ?? 'agent',
    division: more.division ?? null,
    sha256: manifestDigest(manifest),
    origin: more.origin ?? ORIGIN,
    signedAt: '2026-03-01T00:00:00.000Z',
    requestedBy: 'operator',
    auditSeqAfter: '0:7',
  });
  const signature = sign(null, dssePae(MANIFEST_PAYLOAD_TYPE, payload), keys.privateKey).toString('base64');
  return buildEnvelope(payload, 'manifest-1', signature);
}
const value = (envelope: Envelope): JsonValue => envelope as unknown as JsonValue;
const refused = (manifest: JsonObject, envelope: unknown, signers = [signer()], seq = 3) => {
  const recordedAt = { shard: 0, seq };
  return refusalOf(() =>
    assertSigned({ manifest }, { envelope: envelope as JsonValue, recordedAt }, signers, ORIGIN),
  );
};
const record = (envelope: Envelope, division: string | null = null) => ({
  eventId: 'e-1',
  recordedAt: { shard: 0, seq: 3 },
  envelope: value(envelope),
  sha256: manifestDigest(MANIFEST),
  division,
});

describe('a template', () => {
  it('is what this kernel has signed', () => {
    for (const subject of [{ manifest: MANIFEST }, { sha256: manifestDigest(MANIFEST) }]) {
      expect(assertSignedOnce(subject, value(signed()), [signer()], ORIGIN)).toBe('manifest/worker');
      expect(() => assertSigned(subject, record(signed()), [signer()], ORIGIN)).not.toThrow();
    }
    expect(templateFor('p', MANIFEST, record(signed()))).toMatchObject({
      manifestId: 'worker',
      version: '1.0.0',
      kind: 'agent',
      sha256: manifestDigest(MANIFEST),
      signedBy: 'e-1',
    });
  });

  it.each<[string, () => { code: string; details: Record<string, unknown> } | null, string]>([
    ['over another manifest', () => refused({ ...MANIFEST, role: 'admin' }, signed()), 'digest'],
    [
      'of another kernel',
      () => refused(MANIFEST, signed(MANIFEST, { origin: 'kernel.example.com/b' })),
      'origin',
    ],
    ['by an unknown key', () => refused(MANIFEST, signed(), []), 'unknown_key'],
    [
      'by a key that had ended where it was recorded',
      () => refused(MANIFEST, signed(), [signer('retired')], 10),
      'key_not_valid',
    ],
    [
      'by a compromised key, recorded where that is in doubt',
      () => refused(MANIFEST, signed(), [signer('compromised')], 6),
      'key_not_valid',
    ],
    [
      'that was changed',
      () => {
        const { signatures, ...rest } = signed();
        const sig = `${signatures[0]!.sig.startsWith('A') ? 'B' : 'A'}${signatures[0]!.sig.slice(1)}`;
        return refused(MANIFEST, { ...rest, signatures: [{ keyid: 'manifest-1', sig }] });
      },
      'signature',
    ],
    ['that is none', () => refused(MANIFEST, { payload: 7 }), 'invalid_envelope'],
  ])('with a signature %s is refused', (_, act, reason) => {
    const refusal = act();
    expect(refusal?.code).toBe('invalid_signature');
    expect((refusal?.details['reasons'] as string[])[0]).toMatch(new RegExp(`^${reason}:`));
  });

  it('goes on when its key has ended since: where it was recorded decides', () => {
    for (const status of ['retired', 'compromised'] as const) {
      expect(assertSignedOnce({ manifest: MANIFEST }, value(signed()), [signer(status)], ORIGIN)).toBe(
        'manifest/worker',
      );
      expect(refused(MANIFEST, signed(), [signer(status)])).toBeNull();
    }
  });

  it('is no other document of the kernel’s', () => {
    for (const kind of ['division-manifest', 'deployment-authorization']) {
      const envelope = signed(MANIFEST, { kind });
      expect(refusalOf(() => templateFor('p', MANIFEST, record(envelope)))?.code).toBe('invalid_template');
    }
  });

  it('is for the division that it names, or for any', () => {
    const of = (division: string) => record(signed(MANIFEST, { division }), division);
    expect(templateFor('p', MANIFEST, record(signed())).manifestId).toBe('worker');
    expect(templateFor('p', { ...MANIFEST, division: 'p' }, of('p')).manifestId).toBe('worker');
    expect(templateFor('p', { ...MANIFEST, divisionId: 'p' }, of('p')).manifestId).toBe('worker');
    expect(templateFor('p', null, of('p')).manifestId).toBe('worker');
    expect(refusalOf(() => templateFor('p', null, of('other')))?.code).toBe('invalid_template');
  });

  it.each<[string, JsonObject | null, string | undefined, string | null]>([
    [
      'the manifest names another division than the signed statement',
      { ...MANIFEST, division: 'q' },
      'p',
      'p',
    ],
    [
      'the manifest names a division and the signed statement none',
      { ...MANIFEST, division: 'q' },
      undefined,
      null,
    ],
    ['the signed statement names a division and the manifest none', MANIFEST, 'p', 'p'],
    ['the event names another division than the signed statement', null, 'q', 'p'],
    ['the event names a division and the signed statement none', null, undefined, 'p'],
    ['the event names none and the signed statement one', null, 'p', null],
  ])('is refused when %s', (_, manifest, division, recordedFor) => {
    const envelope = signed(MANIFEST, division === undefined ? {} : { division });
    expect(refusalOf(() => templateFor('p', manifest, record(envelope, recordedFor)))?.code).toBe(
      'invalid_template',
    );
  });

  it('is recorded by a manifest.signed event of its own stream', () => {
    const payload = { envelope: {}, sha256: 'x', division: null };
    const of = (type: string, stream: string) => recordedSignature({ ...recorded(type, payload, 1), stream });
    expect(of('manifest.signed', 'manifest/worker')).toMatchObject({ sha256: 'x', division: null });
    expect(of('manifest.signed', 'caller/x')).toBeNull();
    expect(of('manifest.read', 'manifest/worker')).toBeNull();
  });

  it('has the same envelope in any order of members', () => {
    const { payload, payloadType, signatures } = signed();
    expect(isSameEnvelope(value(signed()), { signatures, payloadType, payload })).toBe(true);
    expect(isSameEnvelope(value(signed()), value(signed(MANIFEST, { kind: 'x' })))).toBe(false);
  });
});
