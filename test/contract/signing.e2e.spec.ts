import { createHash, createPublicKey, verify } from 'node:crypto';
import { type Envelope, type SignerEntry, dssePae, verifyManifestEnvelope } from '#evidence';
import { type HttpAnswer, withStack } from '#dev/testing';
import { ContractClient } from './contract.client';

const MANIFEST = {
  id: 'billing-agent',
  version: '2.1.0',
  kind: 'agent',
  spec: { replicas: 3, image: 'billing:2.1' },
};

describe('signing a manifest', () => {
  const stack = withStack();
  const client = () => new ContractClient(stack().client('OPERATOR'));
  const sign = (manifest: object) => client().post('/kernel/sign', { manifest });
  const signText = (body: string) => client().request('POST', '/kernel/sign', { body });
  const recordOf = (answer: HttpAnswer) =>
    answer.json.signature_record as Record<string, string> & { envelope: Envelope };
  const statementOf = (envelope: Envelope) =>
    JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8'));
  const signers = async () => (await client().get('/kernel/keys')).json.signers as SignerEntry[];

  it('gives a signature that stock tools verify: DSSE around an in-toto statement', async () => {
    const answer = await sign(MANIFEST);
    const record = recordOf(answer);
    const payload = Buffer.from(record.envelope.payload, 'base64');
    const signer = (await signers()).find(({ signer_kid }) => signer_kid === record['signer_id']);
    const key = createPublicKey(signer!.public_key_pem);
    const signature = Buffer.from(record['signature']!, 'base64');

    expect(record.envelope.signatures).toEqual([{ keyid: record['signer_id'], sig: record['signature'] }]);
    // PAE by hand (DSSE protocol.md), so that the test does not rely on the code that it tests.
    const type = 'application/vnd.in-toto+json';
    const pae = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
    expect(Buffer.from(dssePae(type, payload)).equals(pae)).toBe(true);
    expect(verify(null, pae, key, signature)).toBe(true);
    expect(statementOf(record.envelope)).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: MANIFEST.id, digest: { sha256: record['manifest_sha256'] } }],
      predicateType: 'https://illuvrse.dev/kernel/manifest-signature/v1',
      predicate: {
        manifestId: MANIFEST.id,
        version: MANIFEST.version,
        kind: MANIFEST.kind,
        division: null,
        origin: stack().origin,
        signedAt: record['ts'],
        requestedBy: 'spiffe://kernel.localhost/dev-operator',
        auditSeqAfter: expect.stringMatching(/^0:\d+$/) as string,
      },
    });
  });

  it('records what was signed, so that the event alone proves it', async () => {
    const answer = await sign(MANIFEST);
    const record = recordOf(answer);
    const event = (await client().get(`/kernel/audit/${answer.json.audit_id}`)).json;
    expect(event).toMatchObject({
      type: 'manifest.signed',
      stream: `manifest/${MANIFEST.id}`,
      actor: { id: 'spiffe://kernel.localhost/dev-operator' },
      payload: {
        manifestId: MANIFEST.id,
        version: MANIFEST.version,
        kind: MANIFEST.kind,
        sha256: record['manifest_sha256'],
        signatureId: record['id'],
        envelope: record.envelope,
      },
    });
    expect(answer.json.position).toBe(`${event.shard}:${event.seq}`);
    const { envelope } = event.payload;
    expect(
      verifyManifestEnvelope({ manifest: MANIFEST, envelope, keys: await signers(), origin: stack().origin }),
    ).toEqual({
      valid: true,
      reasons: [],
    });
    // It was signed after the head that the statement names, and recorded after that.
    const [, after] = statementOf(envelope).predicate.auditSeqAfter.split(':').map(Number);
    expect(after).toBeLessThan(event.seq);
  });

  it('gives the same digest for another member order or number spelling, another for another value', async () => {
    const digest = async (body: string) => recordOf(await signText(body))['manifest_sha256'];
    const canonical = createHash('sha256')
      .update('{"a":100,"b":{"c":0.5,"d":[1,"€"]},"id":"x"}')
      .digest('hex');
    const same = [
      '{"manifest":{"id":"x","a":100,"b":{"c":0.5,"d":[1,"€"]}}}',
      '{"manifest":{"b":{"d":[1.0,"\\u20ac"],"c":5e-1},"id":"\\u0078","a":1e2}}',
      ' { "manifest" : { "a" : 100.0, "id":"x", "b":{"c":0.50,"d":[10E-1,"€"]} } } ',
    ];
    for (const body of same) expect(await digest(body)).toBe(canonical);
    expect(await digest('{"manifest":{"id":"x","a":101,"b":{"c":0.5,"d":[1,"€"]}}}')).not.toBe(canonical);
    expect(await digest('{"manifest":{"id":"x","a":"100","b":{"c":0.5,"d":[1,"€"]}}}')).not.toBe(canonical);
  });

  it('signs a digest alone, for what is too large to send', async () => {
    const sha256 = createHash('sha256').update('a large thing').digest('hex');
    const answer = await client().post('/kernel/sign', {
      manifestId: 'large',
      version: 7,
      sha256,
      kind: 'image',
    });
    expect(answer.status).toBe(200);
    const { envelope } = recordOf(answer);
    expect(recordOf(answer)).toMatchObject({ manifest_id: 'large', version: '7', manifest_sha256: sha256 });
    expect(statementOf(envelope).subject).toEqual([{ name: 'large', digest: { sha256 } }]);
    expect(
      verifyManifestEnvelope({ sha256, envelope, keys: await signers(), origin: stack().origin }).valid,
    ).toBe(true);
  });

  it('takes either form, not both', async () => {
    const sha256 = '0'.repeat(64);
    for (const body of [
      { manifest: {}, manifestId: 'x', version: 1, sha256 },
      { manifestId: 'x', version: 1 },
      {},
    ]) {
      const answer = await client().post('/kernel/sign', body);
      expect([answer.status, answer.json.error]).toEqual([400, 'invalid_request']);
    }
  });

  it('names a manifest without an id by its digest', async () => {
    const record = recordOf(await sign({ anything: true }));
    expect(record['manifest_id']).toBe(`sha256:${record['manifest_sha256']}`);
  });

  describe('verify', () => {
    const verdict = async (manifest: object, envelope: object) =>
      (await client().post('/kernel/verify', { manifest, envelope })).json as {
        valid: boolean;
        reasons: string[];
      };

    it('accepts what was signed, in any spelling', async () => {
      const { envelope } = recordOf(await sign(MANIFEST));
      expect(await verdict({ ...MANIFEST, spec: { image: 'billing:2.1', replicas: 3 } }, envelope)).toEqual({
        valid: true,
        reasons: [],
      });
    });

    it('says why not', async () => {
      const { envelope } = recordOf(await sign(MANIFEST));
      const [{ keyid, sig }] = envelope.signatures as [{ keyid: string; sig: string }];
      const flipped = Buffer.from(sig, 'base64');
      flipped[10]! ^= 1;
      const statement = statementOf(envelope);
      const restated = Buffer.from(
        JSON.stringify({ ...statement, predicate: { ...statement.predicate, version: '9' } }),
      );
      const bad: [object, object][] = [
        [{ ...MANIFEST, version: '2.1.1' }, envelope],
        [MANIFEST, { ...envelope, signatures: [{ keyid, sig: flipped.toString('base64') }] }],
        [MANIFEST, { ...envelope, signatures: [{ keyid: 'kernel-audit-ed25519-v1', sig }] }],
        [MANIFEST, { ...envelope, signatures: [{ keyid: 'nobody', sig }] }],
        [MANIFEST, { ...envelope, signatures: [] }],
        [MANIFEST, { ...envelope, payload: restated.toString('base64') }],
        [MANIFEST, { ...envelope, payloadType: 'application/json' }],
        [MANIFEST, {}],
      ];
      for (const [manifest, given] of bad) {
        const { valid, reasons } = await verdict(manifest, given);
        expect(valid).toBe(false);
        expect(reasons.length).toBeGreaterThan(0);
        expect(reasons.every((reason) => reason.length > 10)).toBe(true);
      }
    });
  });
});
