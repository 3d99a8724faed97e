import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { dssePae, importPublicKey, MANIFEST_PAYLOAD_TYPE, verifyEd25519 } from '#evidence';
import { type SigningBackend } from '#platform/signer';
import {
  archiveDayInput,
  archiveDayItem,
  AUDIT,
  auditInput,
  auditItem,
  auditReportInput,
  auditReportItem,
  base64,
  CHECKPOINT,
  MANIFEST,
  manifestInput,
  manifestItem,
  ORIGIN,
  openSoftware,
  possessionItem,
  type ProxyFixture,
  startProxyFixture,
  statement,
  type WireItem,
} from '../proxy.fixture';

const digestOf = (input: Uint8Array | string): string => createHash('sha256').update(input).digest('hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const pae = (payload: string, type: string = MANIFEST_PAYLOAD_TYPE) => dssePae(type, Buffer.from(payload));

interface Statement {
  subject: object[];
  predicateType: string;
  predicate: { manifestId: string };
  extra?: number;
}

describe('POST /v1/sign', () => {
  let fixture: ProxyFixture;
  beforeAll(async () => {
    fixture = await startProxyFixture();
  });
  afterAll(() => fixture.stop());
  beforeEach(() => void fixture.logs.splice(0));

  const signedSoFar = async (): Promise<number> =>
    (await fixture.metric(`signing_proxy_signatures_total{kid="${AUDIT}",purpose="audit-event"}`)) +
    (await fixture.metric(`signing_proxy_signatures_total{kid="${MANIFEST}",purpose="manifest"}`));

  it('signs a mixed batch in order, each input with its key', async () => {
    const items = [
      auditItem(auditInput(7)),
      manifestItem(),
      archiveDayItem(),
      auditReportItem(),
      auditItem(auditInput(8)),
    ];
    const { status, body } = await fixture.sign(items);
    expect(status).toBe(200);
    expect((body.signatures as { kid: string }[]).map(({ kid }) => kid)).toEqual([
      AUDIT,
      MANIFEST,
      CHECKPOINT,
      CHECKPOINT,
      AUDIT,
    ]);
    const keys = new Map(
      fixture.backend.keys().map(({ kid, publicKeyPem }) => [kid, importPublicKey(publicKeyPem)]),
    );
    items.forEach((item, index) => {
      const key = keys.get(item.kid);
      if (!key) throw new Error('no key');
      const signature = Buffer.from(body.signatures[index].signature, 'base64');
      expect(verifyEd25519(key, Buffer.from(item.input, 'base64'), signature)).toBe(true);
    });
  });

  it('signs a full batch of 512 and logs it in one line, with every digest and no secret', async () => {
    const inputs = Array.from({ length: 512 }, (_, n) => auditInput(n + 1));
    const { status, body } = await fixture.sign(inputs.map(auditItem));
    expect(status).toBe(200);
    expect(body.signatures).toHaveLength(512);
    const lines = fixture.logs.filter(({ msg }) => msg === 'signed');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      client: 'kernel',
      keys: { [AUDIT]: 512 },
      from: '0:1',
      to: '0:512',
      digests: inputs.map(digestOf),
    });
    expect(JSON.stringify(fixture.logs)).not.toContain('PRIVATE KEY');
    expect(JSON.stringify(fixture.logs)).not.toContain(body.signatures[0].signature);
  });

  it('counts signatures by key and purpose, batch sizes and the time each key took', async () => {
    const name = `signing_proxy_signatures_total{kid="${MANIFEST}",purpose="manifest"}`;
    const before = await fixture.metric(name);
    const batches = await fixture.metric('signing_proxy_batch_size_count');
    const timed = await fixture.metric(`signing_proxy_sign_duration_seconds_count{kid="${MANIFEST}"}`);
    await fixture.sign([manifestItem(), manifestItem()]);
    expect(await fixture.metric(name)).toBe(before + 2);
    expect(await fixture.metric('signing_proxy_batch_size_count')).toBe(batches + 1);
    expect(await fixture.metric(`signing_proxy_sign_duration_seconds_count{kid="${MANIFEST}"}`)).toBe(
      timed + 1,
    );
  });

  describe('is no signing oracle', () => {
    const audit = text(auditInput());
    const json = text(statement());
    const edited = (edit: (value: Statement) => void): string => {
      const value = JSON.parse(json) as Statement;
      edit(value);
      return JSON.stringify(value);
    };
    const attempts: [string, { purpose: string; kid: string; input: string }, string][] = [
      ['arbitrary bytes', auditItem(Buffer.from([0xff, 0x00, 0x80])), 'input_not_of_purpose'],
      ['arbitrary text', auditItem('attack at dawn'), 'input_not_of_purpose'],
      ['arbitrary text as a manifest', manifestItem('attack at dawn'), 'input_not_of_purpose'],
      [
        'the self-test message of a key',
        auditItem(`illuvrse-kernel/key-self-test/v1\n${AUDIT}\n`),
        'input_not_of_purpose',
      ],
      [
        'a signed approval',
        auditItem(`illuvrse-kernel/approval/v1\n{"origin":"${ORIGIN}"}`),
        'input_not_of_purpose',
      ],
      ['a checkpoint', auditItem(`${ORIGIN}/0\n41\nqqqq\n`), 'input_not_of_purpose'],
      ['a day as an event', auditItem(archiveDayInput()), 'input_not_of_purpose'],
      ['a day as a manifest', manifestItem(archiveDayInput()), 'input_not_of_purpose'],
      ['a day as a report', auditReportItem(archiveDayInput()), 'input_not_of_purpose'],
      ['a report as a day', archiveDayItem(auditReportInput()), 'input_not_of_purpose'],
      ['a manifest as a day', archiveDayItem(manifestInput()), 'input_not_of_purpose'],
      ['an event as a day', archiveDayItem(auditInput()), 'input_not_of_purpose'],
      ['a C2SP checkpoint as a day', archiveDayItem(`${ORIGIN}/0\n41\nqqqq\n`), 'input_not_of_purpose'],
      ['a day with the audit key', { ...archiveDayItem(), kid: AUDIT }, 'wrong_key_purpose'],
      ['a report with the manifest key', { ...auditReportItem(), kid: MANIFEST }, 'wrong_key_purpose'],
      ['an event with the checkpoint key', { ...auditItem(), kid: CHECKPOINT }, 'wrong_key_purpose'],
      ["another kernel's day", archiveDayItem(archiveDayInput('kernel.example.com/other')), 'foreign_origin'],
      [
        "another kernel's report",
        auditReportItem(auditReportInput('kernel.example.com/other')),
        'foreign_origin',
      ],
      ['a manifest for the audit key as an event', auditItem(manifestInput()), 'input_not_of_purpose'],
      ['an event as a manifest', manifestItem(auditInput()), 'input_not_of_purpose'],
      ['an event with the manifest key', { ...auditItem(), kid: MANIFEST }, 'wrong_key_purpose'],
      ['a manifest with the audit key', { ...manifestItem(), kid: AUDIT }, 'wrong_key_purpose'],
      ["another kernel's event", auditItem(auditInput(1, 'kernel.example.com/other')), 'foreign_origin'],
      [
        "another kernel's manifest",
        manifestItem(manifestInput('kernel.example.com/other')),
        'foreign_origin',
      ],
      ['an event with a byte after it', auditItem(`${audit}x`), 'input_not_of_purpose'],
      ['an event with a line after it', auditItem(`${audit}\n`), 'input_not_of_purpose'],
      ['an event without its last line feed', auditItem(audit.slice(0, -1)), 'input_not_of_purpose'],
      ['an event with CRLF', auditItem(audit.replaceAll('\n', '\r\n')), 'input_not_of_purpose'],
      ['an event of another version', auditItem(audit.replace('/v1', '/v2')), 'input_not_of_purpose'],
      ['an event at position 0', auditItem(audit.replace('\n1\n', '\n0\n')), 'input_not_of_purpose'],
      ['an event at position 01', auditItem(audit.replace('\n1\n', '\n01\n')), 'input_not_of_purpose'],
      [
        'an event beyond 2^53',
        auditItem(audit.replace('\n1\n', '\n9007199254740993\n')),
        'input_not_of_purpose',
      ],
      ['an event with an upper-case hash', auditItem(audit.replace(/ab/g, 'AB')), 'input_not_of_purpose'],
      ['an event with a BOM', auditItem(`\ufeff${audit}`), 'input_not_of_purpose'],
      [
        'an event with invalid UTF-8',
        auditItem(Buffer.concat([auditInput(), Buffer.from([0xc3])])),
        'input_not_of_purpose',
      ],
      ['PAE of another payload type', manifestItem(pae(json, 'application/json')), 'input_not_of_purpose'],
      [
        'PAE of a type that only starts alike',
        manifestItem(pae(json, `${MANIFEST_PAYLOAD_TYPE}x`)),
        'input_not_of_purpose',
      ],
      [
        'PAE with a byte after it',
        manifestItem(Buffer.concat([manifestInput(), Buffer.from('x')])),
        'input_not_of_purpose',
      ],
      [
        'PAE with a length that lies',
        manifestItem(text(manifestInput()).replace(` ${json.length} `, ` ${json.length - 1} `)),
        'input_not_of_purpose',
      ],
      [
        'PAE with a length in other digits',
        manifestItem(text(manifestInput()).replace(` ${json.length} `, ` 0${json.length} `)),
        'input_not_of_purpose',
      ],
      ['the bare statement', manifestItem(json), 'input_not_of_purpose'],
      [
        'a statement with spaces',
        manifestItem(pae(JSON.stringify(JSON.parse(json), null, 1))),
        'input_not_of_purpose',
      ],
      ['a statement with bytes after it', manifestItem(pae(`${json}\n`)), 'input_not_of_purpose'],
      [
        'a statement with a member twice',
        manifestItem(pae(json.replace('"subject":', '"subject":[],"subject":'))),
        'input_not_of_purpose',
      ],
      [
        'a statement with an escaped twin of a member',
        manifestItem(pae(json.replace('"subject":', '"\\u0073ubject":[],"subject":'))),
        'input_not_of_purpose',
      ],
      [
        'a statement with one member more',
        manifestItem(pae(edited((value) => (value.extra = 1)))),
        'input_not_of_purpose',
      ],
      [
        'a statement of another type',
        manifestItem(pae(edited((value) => (value.predicateType = 'https://slsa.dev/provenance/v1')))),
        'input_not_of_purpose',
      ],
      [
        'a statement with two subjects',
        manifestItem(pae(edited((value) => value.subject.push({ ...value.subject[0] })))),
        'input_not_of_purpose',
      ],
      [
        'a statement about another manifest than it names',
        manifestItem(pae(edited((value) => (value.predicate.manifestId = 'other')))),
        'input_not_of_purpose',
      ],
      ['nothing', auditItem(''), 'input_not_of_purpose'],
      ['4,097 bytes', auditItem('x'.repeat(4097)), 'input_not_of_purpose'],
      ['a key nobody has', { ...auditItem(), kid: 'nobody' }, 'unknown_key'],
      ['a key by the name of a method', { ...auditItem(), kid: '__proto__' }, 'unknown_key'],
      ['a purpose nobody knows', { ...auditItem(), purpose: 'checkpoint' }, 'unknown_purpose'],
      ['a purpose by the name of a method', { ...auditItem(), purpose: 'toString' }, 'unknown_purpose'],
    ];

    it.each(attempts)('%s', async (_what, bad, error) => {
      const signed = await signedSoFar();
      const refused = await fixture.metric(`signing_proxy_refusals_total{reason="${error}"}`);
      fixture.logs.splice(0);
      // In the middle of good ones: nothing of the batch may be signed.
      const { status, body } = await fixture.sign([auditItem(), bad, manifestItem()]);
      expect(status).toBe(422);
      expect(body).toMatchObject({ error, index: 1, detail: expect.stringMatching(/^Request 1: /) });
      expect(await signedSoFar()).toBe(signed);
      expect(await fixture.metric(`signing_proxy_refusals_total{reason="${error}"}`)).toBe(refused + 1);
      const [line] = fixture.logs.filter(({ msg }) => msg === 'refused');
      expect(line).toMatchObject({ client: 'kernel', reason: error, index: 1 });
      if (error !== 'unknown_purpose') expect(line?.digest).toBe(digestOf(Buffer.from(bad.input, 'base64')));
    });

    it('a proof of possession is signed by the key that it names, and by no other', async () => {
      const [audit, manifest] = fixture.backend.keys();
      if (!audit || !manifest) throw new Error('no keys');
      const { status, body } = await fixture.sign([possessionItem(manifest)]);
      expect(status).toBe(200);
      const signature = Buffer.from(body.signatures[0].signature, 'base64');
      const input = Buffer.from(possessionItem(manifest).input, 'base64');
      expect(verifyEd25519(importPublicKey(manifest.publicKeyPem), input, signature)).toBe(true);

      const refused: [WireItem, string][] = [
        [possessionItem(manifest, { kid: AUDIT }), 'input_not_of_purpose'],
        [possessionItem({ ...audit, kid: MANIFEST }), 'input_not_of_purpose'],
        [possessionItem(manifest, { origin: 'kernel.example.com/other' }), 'foreign_origin'],
        [{ ...possessionItem(manifest), purpose: 'manifest' }, 'input_not_of_purpose'],
        [{ ...auditItem(), purpose: 'signer-possession' }, 'input_not_of_purpose'],
      ];
      for (const [item, error] of refused) {
        expect(await fixture.sign([item])).toMatchObject({ status: 422, body: { error } });
      }
    });

    it('control: what the attempts are made from is signed', async () => {
      const good = [audit, json].map((value, n) => (n === 0 ? auditItem(value) : manifestItem(pae(value))));
      expect((await fixture.sign(good)).status).toBe(200);
    });
  });

  describe('takes nothing but a signing request', () => {
    const item = auditItem();
    it.each([
      ['no JSON', '{"requests":', 400, 'malformed_request'],
      ['an array', JSON.stringify([item]), 400, 'malformed_request'],
      ['null', 'null', 400, 'malformed_request'],
      ['no requests', '{"requests":[]}', 400, 'malformed_request'],
      ['requests that are no list', '{"requests":{"0":1}}', 400, 'malformed_request'],
      ['another member', JSON.stringify({ requests: [item], dryRun: true }), 400, 'malformed_request'],
      ['an item that is none', '{"requests":["x"]}', 400, 'malformed_request'],
      [
        'an item with another member',
        JSON.stringify({ requests: [{ ...item, prehash: true }] }),
        400,
        'malformed_request',
      ],
      [
        'an item without a kid',
        JSON.stringify({ requests: [{ purpose: 'audit-event', input: item.input }] }),
        400,
        'malformed_request',
      ],
      [
        'a kid that is a list',
        JSON.stringify({ requests: [{ ...item, kid: [AUDIT] }] }),
        400,
        'malformed_request',
      ],
      [
        'base64url',
        JSON.stringify({ requests: [{ ...item, input: base64('>>>???').replaceAll('/', '_') }] }),
        400,
        'malformed_request',
      ],
      [
        'base64 without padding',
        JSON.stringify({ requests: [{ ...item, input: 'eA' }] }),
        400,
        'malformed_request',
      ],
      [
        'base64 with stray bits',
        JSON.stringify({ requests: [{ ...item, input: 'eB==' }] }),
        400,
        'malformed_request',
      ],
      [
        'base64 with a space',
        JSON.stringify({ requests: [{ ...item, input: ` ${item.input}` }] }),
        400,
        'malformed_request',
      ],
      [
        '513 items',
        JSON.stringify({ requests: Array.from({ length: 513 }, () => item) }),
        413,
        'batch_too_large',
      ],
      [
        'a body of 4 MB',
        JSON.stringify({ requests: [{ ...item, input: 'A'.repeat(4_000_000) }] }),
        413,
        'body_too_large',
      ],
    ])('%s', async (_what, body, status, error) => {
      expect(await fixture.call({ path: '/v1/sign', body })).toMatchObject({ status, body: { error } });
    });

    it('a body that is packed or of another type', async () => {
      const body = JSON.stringify({ requests: [item] });
      for (const headers of [
        { 'content-encoding': 'gzip' },
        { 'content-type': 'text/plain' },
        { 'content-type': 'application/json; charset=utf-16' },
        { 'content-type': 'application/json-seq' },
      ]) {
        const packed = 'content-encoding' in headers ? gzipSync(body) : body;
        expect(await fixture.call({ path: '/v1/sign', body: packed, headers })).toMatchObject({
          status: 400,
          body: { error: 'malformed_request' },
        });
      }
    });

    it('but takes JSON that says in which charset it is', async () => {
      const body = JSON.stringify({ requests: [item] });
      for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) {
        const answer = await fixture.call({ path: '/v1/sign', body, headers: { 'content-type': type } });
        expect(answer).toMatchObject({ status: 200, body: { signatures: [{ kid: item.kid }] } });
        expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      }
    });

    it('on no other path', async () => {
      expect(await fixture.call({ path: '/v1/decrypt', body: '{}' })).toMatchObject({
        status: 404,
        body: { error: 'not_found' },
      });
    });
  });

  it('ignores every header that claims to be someone', async () => {
    const stranger = await fixture.as('stranger');
    const { status } = await fixture.call({
      path: '/v1/sign',
      body: JSON.stringify({ requests: [auditItem()] }),
      client: stranger,
      headers: {
        'x-forwarded-client-cert': 'CN=kernel',
        'x-client-cn': 'kernel',
        'x-ssl-client-s-dn': 'CN=kernel',
      },
    });
    expect(status).toBe(403);
  });
});

describe('POST /v1/sign with a backend in trouble', () => {
  let fixture: ProxyFixture;
  let trouble: (real: SigningBackend, kid: string, messages: readonly Uint8Array[]) => Promise<Uint8Array[]>;
  beforeAll(async () => {
    fixture = await startProxyFixture({
      open: async (dir) => {
        const real = await openSoftware(dir);
        return {
          name: real.name,
          keys: () => real.keys(),
          sign: (kid, messages) => trouble(real, kid, messages),
          health: async () => ({ ok: false, detail: 'in trouble' }),
          close: () => real.close(),
        };
      },
    });
  });
  afterAll(() => fixture.stop());

  it('answers 503 and signs nothing when one key of two fails', async () => {
    const { SignerError } = await import('#platform/signer');
    trouble = async (real, kid, messages) => {
      if (kid === MANIFEST) throw new SignerError('signing_unavailable', 'the token is gone');
      return real.sign(kid, messages);
    };
    const { status, headers, body } = await fixture.sign([auditItem(), manifestItem()]);
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('1');
    expect(body).toMatchObject({ error: 'signing_unavailable' });
    expect(body.signatures).toBeUndefined();
  });

  it('answers 503 when signatures are missing', async () => {
    trouble = async (real, kid, messages) => (await real.sign(kid, messages)).slice(1);
    expect(await fixture.sign([auditItem(), auditItem()])).toMatchObject({ status: 503 });
  });

  it('answers 500 with an id and no details for a fault of its own', async () => {
    trouble = () => Promise.reject(new TypeError('secret detail'));
    const { status, body } = await fixture.sign([auditItem()]);
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret detail');
    expect(fixture.logs.find(({ error_id }) => error_id === body.error_id)).toMatchObject({
      err: { message: 'secret detail' },
    });
  });

  it('refuses more than it can do at once, and recovers', async () => {
    const held = Promise.withResolvers<void>();
    trouble = async (real, kid, messages) => {
      await held.promise;
      return real.sign(kid, messages);
    };
    const full = Array.from({ length: 512 }, () => auditItem());
    const running = Array.from({ length: 8 }, () => fixture.sign(full));
    while ((await fixture.metric('signing_proxy_inputs_in_progress')) < 4096);
    expect(await fixture.sign([auditItem()])).toMatchObject({ status: 503, body: { error: 'overloaded' } });
    held.resolve();
    for (const { status } of await Promise.all(running)) expect(status).toBe(200);
    expect(await fixture.sign([auditItem()])).toMatchObject({ status: 200 });
  });

  it('says on /v1/health and /ready what is wrong, while /health stays green', async () => {
    expect(await fixture.call({ method: 'GET', path: '/v1/health' })).toMatchObject({
      status: 503,
      body: { ok: false, backends: [{ name: 'software', ok: false, detail: 'in trouble' }] },
    });
    const ready = await fixture.management('/ready');
    expect(ready.status).toBe(503);
    expect(ready.text).toContain('software: in trouble');
    expect((await fixture.management('/health')).status).toBe(200);
  });

  it('finishes what is being signed before it closes', async () => {
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    trouble = async (real, kid, messages) => {
      begun.resolve();
      await held.promise;
      return real.sign(kid, messages);
    };
    const running = fixture.sign([auditItem()]);
    await begun.promise;
    const closed = fixture.proxy.close();
    held.resolve();
    expect((await running).status).toBe(200);
    await closed;
  });
});
