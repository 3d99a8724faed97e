import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importPublicKey, verifyEd25519 } from '#evidence';
import { type KeyInfo, SIGNING_PURPOSES } from '#platform/signer';
import {
  AUDIT,
  auditInput,
  auditItem,
  openSoftware,
  type ProxyFixture,
  startProxyFixture,
} from '../proxy.fixture';
import { FileMadeKeys } from './file-made-keys';

const NEW = 'proxy-audit-v2';

/** Each test has a name of its own, and all share one proxy. */
let names = 0;
const fresh = () => ({ kid: `made-${++names}`, purposes: ['audit'] });

const make = (fixture: ProxyFixture, body: unknown) =>
  fixture.call({ path: '/v1/keys', body: JSON.stringify(body) });

describe('POST /v1/keys', () => {
  let fixture: ProxyFixture;
  beforeAll(async () => {
    fixture = await startProxyFixture({
      made: (dir) => new FileMadeKeys(join(dir, 'marks')),
      keyMakers: ['kernel'],
    });
  });
  afterAll(() => fixture.stop());

  const kids = async (): Promise<string[]> => {
    const { body } = await fixture.call({ method: 'GET', path: '/v1/keys' });
    return (body.keys as KeyInfo[]).map(({ kid }) => kid);
  };
  const file = (kid: string) => join(fixture.dir, 'keys', `${kid}.key.json`);
  const logged = (msg: string, kid: string) =>
    fixture.logs.filter((line) => line.msg === msg && line.kid === kid);

  it('makes a key that signs, tells of it in the log, and gives the same one when asked again', async () => {
    const wanted = fresh();
    const { status, body } = await make(fixture, wanted);
    expect([status, body]).toMatchObject([201, { ...wanted, backend: 'software' }]);
    expect(logged('key made', wanted.kid)).toMatchObject([
      { client: 'kernel', publicKeySha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    const { body: signed } = await fixture.sign([{ ...auditItem(), kid: wanted.kid }]);
    const signature = Buffer.from(signed.signatures[0].signature, 'base64');
    expect(verifyEd25519(importPublicKey(body.publicKeyPem), auditInput(), signature)).toBe(true);
    expect(await make(fixture, wanted)).toMatchObject({ status: 200, body });
    // After a restart as well.
    await (
      await fixture.crash()
    )();
    expect(await make(fixture, wanted)).toMatchObject({ status: 200, body });
    expect(fixture.backend.keys()).toContainEqual(body);
  });

  it('goes on with one whose making broke off', async () => {
    const { kid } = fresh();
    const list = new FileMadeKeys(join(fixture.dir, 'marks'));
    const madeAt = '2026-02-01T10:00:00.000Z';
    await list.begin({ kid, purposes: ['audit'], publicKeyPem: null, madeBy: 'kernel', madeAt });
    expect(await kids()).not.toContain(kid);
    expect(await make(fixture, { kid, purposes: ['manifest'] })).toMatchObject({ status: 409 });
    expect(await make(fixture, { kid, purposes: ['audit'] })).toMatchObject({ status: 201 });
    expect(await list.all()).toContainEqual({
      kid,
      purposes: ['audit'],
      publicKeyPem: expect.stringContaining('PUBLIC KEY'),
      madeBy: 'kernel',
      madeAt,
    });
  });

  it('makes one at a time', async () => {
    const answers = await Promise.all([fresh(), fresh()].map((wanted) => make(fixture, wanted)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 503]);
  });

  it('refuses a name that something else has', async () => {
    const { kid } = fresh();
    await make(fixture, { kid, purposes: ['audit'] });
    for (const [name, purposes] of [
      [kid, ['audit', 'manifest']],
      [AUDIT, ['audit']],
      [AUDIT, ['manifest']],
    ]) {
      expect(await make(fixture, { kid: name, purposes })).toMatchObject({
        status: 409,
        body: { error: 'key_exists' },
      });
    }
    // A key file that the configuration does not name.
    await copyFile(file(kid), file('strange'));
    expect(await make(fixture, { kid: 'strange', purposes: ['audit'] })).toMatchObject({
      status: 409,
      body: { error: 'key_exists', detail: expect.stringContaining('not made here') },
    });
  });

  it('leaves out one that is gone from its backend, or is another now, and signs with the others', async () => {
    const [gone, other] = [fresh(), fresh()];
    for (const wanted of [gone, other]) expect((await make(fixture, wanted)).status).toBe(201);
    const start = await fixture.crash();
    await rm(file(gone.kid));
    const strange = JSON.parse(await readFile(file(AUDIT), 'utf8')) as object;
    await writeFile(file(other.kid), JSON.stringify({ ...strange, kid: other.kid }), { mode: 0o600 });
    await start();
    const held = await kids();
    for (const { kid } of [gone, other]) {
      expect(held).not.toContain(kid);
      expect(logged('a key that was made cannot be used', kid)).toHaveLength(1);
      expect(await make(fixture, { kid, purposes: ['audit'] })).toMatchObject({
        status: 409,
        body: { error: 'key_exists' },
      });
      expect(await fixture.sign([{ ...auditItem(), kid }])).toMatchObject({ body: { error: 'unknown_key' } });
    }
    expect(await fixture.sign([auditItem()])).toMatchObject({ status: 200 });
  });

  it.each([
    ['another client', 'stranger', { kid: NEW, purposes: ['audit'] }, 403, 'client_not_permitted'],
    ['no name', 'kernel', { purposes: ['audit'] }, 400, 'malformed_request'],
    ['a name that is a path', 'kernel', { kid: '../x', purposes: ['audit'] }, 400, 'malformed_request'],
    ['no purpose', 'kernel', { kid: NEW, purposes: [] }, 400, 'malformed_request'],
    ['a purpose twice', 'kernel', { kid: NEW, purposes: ['audit', 'audit'] }, 400, 'malformed_request'],
    ['another member', 'kernel', { ...fresh(), exportable: true }, 400, 'malformed_request'],
    ['more than anybody can mean', 'kernel', { ...fresh(), more: 'x'.repeat(20_000) }, 413, 'body_too_large'],
  ])('refuses %s', async (_what, client, body, status, error) => {
    const answer = await fixture.call({
      path: '/v1/keys',
      body: JSON.stringify(body),
      client: await fixture.as(client),
    });
    expect(answer).toMatchObject({ status, body: { error } });
    expect(await kids()).not.toContain(NEW);
  });
});

describe('POST /v1/keys where nobody set it up', () => {
  it.each([
    ['nobody may', {}, 403, 'client_not_permitted', 'KERNEL_SIGNING_KEY_MAKERS'],
    ['nothing is remembered', { keyMakers: ['kernel'] }, 409, 'keys_made_elsewhere', 'high-water marks'],
    [
      'no more may be made',
      { keyMakers: ['kernel'], made: (dir: string) => new FileMadeKeys(dir), maxMadeKeys: 0 },
      409,
      'too_many_keys',
      'KERNEL_SIGNING_MAX_MADE_KEYS',
    ],
    [
      'the backend makes none',
      {
        keyMakers: ['kernel'],
        made: (dir: string) => new FileMadeKeys(dir),
        open: async (dir: string) => {
          const real = await openSoftware(dir);
          return {
            name: 'aws-kms',
            maker: 'Keys are made by hand',
            keys: () => real.keys(),
            sign: (kid: string, messages: readonly Uint8Array[]) => real.sign(kid, messages),
            health: () => real.health(),
            close: () => real.close(),
          };
        },
      },
      409,
      'keys_made_elsewhere',
      'Keys are made by hand',
    ],
  ])('says so: %s', async (_what, options, status, error, detail) => {
    const fixture = await startProxyFixture({
      clients: [{ cn: 'kernel', purposes: [...SIGNING_PURPOSES] }],
      ...options,
    });
    try {
      const answer = await fixture.call({
        path: '/v1/keys',
        body: JSON.stringify({ kid: NEW, purposes: ['audit'] }),
      });
      expect(answer).toMatchObject({ status, body: { error, detail: expect.stringContaining(detail) } });
    } finally {
      await fixture.stop();
    }
  });
});
