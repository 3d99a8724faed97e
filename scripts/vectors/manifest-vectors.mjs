// The vectors of manifest signatures (docs/spec/manifest-signature.md).
import { AUDIT_1, AUDIT_2, FOREIGN, ORIGIN, evidence, lacking, malleate, spanOf } from './vector-kernel.mjs';

export function manifestVectors() {
  const statement = {
    manifestId: 'agent-7',
    version: '1.4.0',
    kind: 'agent',
    origin: ORIGIN,
    signedAt: '2026-01-31T10:00:00.000Z',
    requestedBy: 'CN=build-service',
    division: null,
    auditSeqAfter: '0:17',
  };
  const manifests = [
    ['as written', '{"id":"agent-7","version":"1.4.0","limits":{"cpu":1.5,"memory":1000},"tags":["a","b"]}'],
    [
      'other member order',
      '{"tags":["a","b"],"limits":{"memory":1000,"cpu":1.5},"version":"1.4.0","id":"agent-7"}',
    ],
    [
      'other spellings and white space',
      String.raw`{ "id" : "agent\u002d7", "version":"1.4.0", "limits":{"cpu":15e-1,"memory":1.0E3},"tags":["\u0061","b"] }`,
    ],
  ];
  const sha256 = evidence.manifestDigest(evidence.parseStrictJson(manifests[0][1]));
  const payload = evidence.manifestStatement({ ...statement, sha256 });
  const pae = evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, payload);
  const envelope = evidence.buildEnvelope(payload, AUDIT_1.kid, AUDIT_1.sign(pae));
  const signedBy = (key, keyid, input = pae, of = payload) => ({
    payloadType: evidence.MANIFEST_PAYLOAD_TYPE,
    payload: Buffer.from(of).toString('base64'),
    signatures: [{ keyid, sig: key.sign(input) }],
  });
  const keys = [AUDIT_1.entry, AUDIT_2.entry];
  const resigned = (change) => {
    const value = JSON.parse(Buffer.from(payload).toString());
    change(value);
    const changed = Buffer.from(evidence.canonicalize(value));
    return signedBy(AUDIT_1, AUDIT_1.kid, evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, changed), changed);
  };
  const pretty = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(payload).toString()), null, 1));
  const urlSafe = ({ payload: text, signatures, ...rest }) => ({
    ...rest,
    payload: Buffer.from(text, 'base64').toString('base64url'),
    signatures: signatures.map(({ keyid, sig }) => ({
      keyid,
      sig: Buffer.from(sig, 'base64').toString('base64url'),
    })),
  });
  const ended = (status, until, since = null) => ({
    ...AUDIT_1.entry,
    status,
    [`${status}At`]: '2026-02-01T00:00:00.000Z',
    span: spanOf([0, 0], until, since),
  });
  const envelopes = [
    ['valid', envelope, {}],
    ['another manifest', envelope, { manifest: '{"id":"agent-8"}' }],
    ['another origin', envelope, { origin: 'kernel.example.com/other' }],
    ['signed by a key that is not known', signedBy(FOREIGN, FOREIGN.kid), {}],
    ['signed by a foreign key under a known name', signedBy(FOREIGN, AUDIT_1.kid), {}],
    ['signed by a key that is not for manifests', signedBy(AUDIT_2, AUDIT_2.kid), {}],
    ['signature over the payload alone', signedBy(AUDIT_1, AUDIT_1.kid, payload), {}],
    [
      'malleated signature (S + L)',
      { ...envelope, signatures: [{ keyid: AUDIT_1.kid, sig: malleate(envelope.signatures[0].sig) }] },
      {},
    ],
    [
      'payload changed after signing',
      { ...envelope, payload: resigned((v) => (v.predicate.version = '9')).payload },
      {},
    ],
    [
      'payload not canonical',
      signedBy(AUDIT_1, AUDIT_1.kid, evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, pretty), pretty),
      {},
    ],
    ['subject and manifestId differ', resigned((v) => (v.subject[0].name = 'agent-8')), {}],
    ['two subjects', resigned((v) => v.subject.push(v.subject[0])), {}],
    ['a predicate member too many', resigned((v) => (v.predicate.extra = 1)), {}],
    ['another predicate type', resigned((v) => (v.predicateType = 'https://example.com/other')), {}],
    ['another payload type', { ...envelope, payloadType: 'application/json' }, {}],
    [
      'a signature of 64 other bytes, in URL-safe base64',
      { ...envelope, signatures: [{ keyid: AUDIT_1.kid, sig: `${'-_'.repeat(42)}-Q==` }] },
      {},
    ],
    ['no signature', { ...envelope, signatures: [] }, {}],
    ['a member that DSSE does not know', { ...envelope, note: 'unsigned' }, {}],
    ['without a keyid', { ...envelope, signatures: [{ sig: envelope.signatures[0].sig }] }, {}],
    [
      'without a keyid, signed by a foreign key',
      { ...envelope, signatures: [{ sig: FOREIGN.sign(pae) }] },
      {},
    ],
    ['in URL-safe base64', urlSafe(envelope), {}],
    [
      'beside a signature of somebody else, by a key of another kind',
      { ...envelope, signatures: [{ keyid: 'elsewhere', sig: 'MAYCAQECAQE=' }, ...envelope.signatures] },
      {},
    ],
    [
      'sixteen signatures, ours the last',
      {
        ...envelope,
        signatures: [...Array(15).fill({ keyid: 'elsewhere', sig: 'AAAA' }), ...envelope.signatures],
      },
      {},
    ],
    [
      'seventeen signatures',
      {
        ...envelope,
        signatures: [...Array(16).fill({ keyid: 'elsewhere', sig: 'AAAA' }), ...envelope.signatures],
      },
      {},
    ],
    ['not an envelope', null, {}],
    ['by a retired key, without a receipt', envelope, { signers: [ended('retired', [20, 4])] }],
    ['by a compromised key, without a receipt', envelope, { signers: [ended('compromised', [20, 4])] }],
    [
      'by a retired key, recorded where it was valid',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 1, seq: 4 } },
    ],
    [
      'by a retired key, recorded after its end',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 1, seq: 5 } },
    ],
    [
      'by a retired key, recorded in a shard that it does not know',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 2, seq: 1 } },
    ],
    [
      'by a compromised key, recorded before the doubt',
      envelope,
      { signers: [ended('compromised', [20, 4], [10, 3])], recordedAt: { shard: 1, seq: 2 } },
    ],
    [
      'by a compromised key, recorded in doubt',
      envelope,
      { signers: [ended('compromised', [20, 4], [10, 3])], recordedAt: { shard: 1, seq: 3 } },
    ],
    [
      'by a retired key of which nobody says where it ended',
      envelope,
      { signers: [lacking(ended('retired', [20, 4]), 'span')], recordedAt: { shard: 1, seq: 2 } },
    ],
  ];
  return {
    'manifest-signatures.json': {
      key: { kid: AUDIT_1.kid, seed: AUDIT_1.seed, publicKey: AUDIT_1.publicKey },
      manifests: manifests.map(([name, manifest]) => ({
        name,
        manifest,
        sha256: evidence.manifestDigest(evidence.parseStrictJson(manifest)),
      })),
      statement: { ...statement, sha256 },
      payload: Buffer.from(payload).toString(),
      pae: Buffer.from(pae).toString(),
      envelope,
    },
    'manifest-envelopes.json': {
      signers: keys,
      manifest: manifests[0][1],
      origin: ORIGIN,
      envelopes: envelopes.map(([name, candidate, given]) => {
        const { manifest = manifests[0][1], origin = ORIGIN, signers = keys, ...more } = given;
        const verdict = evidence.verifyManifestEnvelope({
          manifest: evidence.parseStrictJson(manifest),
          envelope: candidate,
          keys: signers,
          origin,
          ...more,
        });
        return {
          name,
          ...given,
          envelope: candidate,
          valid: verdict.valid,
          reasons: verdict.reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
        };
      }),
    },
  };
}
