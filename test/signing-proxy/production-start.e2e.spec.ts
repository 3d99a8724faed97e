import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedLog, compileCache, openDevelopmentIdentities, startChild } from '#dev/devstack';
import { describeWithSoftHsm, generateTokenKey, TestCa, workTree } from '#dev/testing';
import { AUDIT, MANIFEST, ORIGIN, ProxyProcess } from './proxy-process';

const HOUR_MS = 3_600_000;

/** Output of a process that must not start: sentences for an operator, no stack. */
async function refusalOf(
  app: 'kernel' | 'signing-proxy',
  dir: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const log = new BoundedLog(join(dir, `${app}.refusals.log`));
  const before = await readFile(log.file, 'utf8').catch(() => '');
  const set = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const child = await startChild({
    command: process.execPath,
    args: [join(workTree(), 'dist/apps', app, 'main.js')],
    env: { ...Object.fromEntries(set), ...compileCache() },
    cwd: dir,
    log,
  });
  const exit = await child.exited;
  log.close();
  const said = (await readFile(log.file, 'utf8')).slice(before.length);
  expect(said).not.toMatch(/^\s+at /m);
  expect({ exit, said }).toEqual({ exit: { code: 1, signal: null }, said: expect.any(String) });
  return said;
}

describe('a kernel does not start in production', () => {
  let proxy: ProxyProcess;
  let environment: Record<string, string>;
  let expired: string;
  beforeAll(async () => {
    proxy = await ProxyProcess.prepare('software');
    await proxy.start();
    const identities = await openDevelopmentIdentities(join(proxy.dir, 'identities'));
    const rowKey = join(proxy.dir, 'row.key');
    await writeFile(rowKey, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    environment = {
      NODE_ENV: 'production',
      KERNEL_ORIGIN: ORIGIN,
      KERNEL_ROW_KEY_FILE: rowKey,
      // Nothing listens there: every refusal comes before a database is used.
      DATABASE_URL: 'postgres://kernel@127.0.0.1:1/kernel',
      KERNEL_TLS_CERT_FILE: identities.kernelServer.cert,
      KERNEL_TLS_KEY_FILE: identities.kernelServer.key,
      KERNEL_TLS_CLIENT_CA_FILE: identities.caCert,
      KERNEL_ROLE_BINDINGS: '[{"cn":"deployer","role":"Operator"}]',
      KMS_ENDPOINT: proxy.url,
      KMS_CA_FILE: identities.caCert,
      KMS_CLIENT_CERT_FILE: identities.kernelClient.cert,
      KMS_CLIENT_KEY_FILE: identities.kernelClient.key,
      OPENAPI_PATH: join(workTree(), 'openapi/kernel.yaml'),
      KERNEL_LOG_LEVEL: 'error',
    };
    expired = join(proxy.dir, 'expired.pem');
    const ca = await TestCa.create();
    const { cert } = await ca.issue({
      subject: [{ CN: ['kernel'] }],
      notBefore: new Date(Date.now() - 2 * HOUR_MS),
      notAfter: new Date(Date.now() - HOUR_MS),
    });
    await writeFile(expired, cert);
  });
  afterAll(() => proxy.stop());

  it.each<[string, () => Record<string, string | undefined>, RegExp]>([
    ['without a KMS', () => ({ KMS_ENDPOINT: undefined }), /KMS_ENDPOINT: is missing/],
    [
      'with a KMS whose keys are in files',
      () => ({}),
      new RegExp(`REQUIRE_KMS is in force, and Key ${AUDIT} \\(software\\) is kept in files`),
    ],
    [
      'with REQUIRE_KMS switched off',
      () => ({ REQUIRE_KMS: 'false' }),
      /REQUIRE_KMS=false is refused when NODE_ENV=production/,
    ],
    [
      'with an expired certificate for the KMS',
      () => ({ KMS_CLIENT_CERT_FILE: expired }),
      /KMS_CLIENT_CERT_FILE: .*CN=kernel expired on /,
    ],
    [
      'with an expired certificate of its own',
      () => ({ KERNEL_TLS_CERT_FILE: expired }),
      /KERNEL_TLS_CERT_FILE: .*expired on /,
    ],
  ])('%s', async (_what, changes, sentence) => {
    expect(await refusalOf('kernel', proxy.dir, { ...environment, ...changes() })).toMatch(sentence);
  });

  it('nor elsewhere, when a KMS is required', async () => {
    const required = { ...environment, NODE_ENV: 'development', REQUIRE_KMS: 'true' };
    expect(await refusalOf('kernel', proxy.dir, required)).toContain(
      `Key ${AUDIT} (software) is kept in files`,
    );
  });

  it('while the signing proxy does not start either', async () => {
    const asked = { ...proxy.environment, REQUIRE_KMS: 'true' };
    expect(await refusalOf('signing-proxy', proxy.dir, asked)).toContain(
      'does not go with KERNEL_SIGNER=software',
    );
    const certified = { ...proxy.environment, KERNEL_TLS_CERT_FILE: expired };
    expect(await refusalOf('signing-proxy', proxy.dir, certified)).toMatch(
      /KERNEL_TLS_CERT_FILE: .*expired on /,
    );
    const open = { ...proxy.environment, NODE_ENV: 'production', KERNEL_SOFTWARE_KEY_DIR: undefined };
    expect(await refusalOf('signing-proxy', proxy.dir, { ...open, REQUIRE_KMS: 'false' })).toContain(
      'REQUIRE_KMS=false is refused',
    );
    expect(await refusalOf('signing-proxy', proxy.dir, open)).toContain(
      'The software signer keeps private keys in files and is refused',
    );
    expect(await refusalOf('signing-proxy', proxy.dir, { ...open, KERNEL_SIGNER: undefined })).toMatch(
      /KERNEL_SIGNER: is missing/,
    );
  });
});

describeWithSoftHsm('a signing proxy with a token does not start in production', () => {
  let proxy: ProxyProcess;
  let environment: Record<string, string>;
  beforeAll(async () => {
    proxy = await ProxyProcess.prepare('pkcs11');
    environment = { ...proxy.environment, NODE_ENV: 'production', KERNEL_LOG_LEVEL: 'error' };
  });
  afterAll(() => proxy.stop());

  it('when the token is SoftHSM, unless that is allowed', async () => {
    expect(await refusalOf('signing-proxy', proxy.dir, environment)).toContain(
      'is SoftHSM, which keeps its keys in files',
    );
    await proxy.start({ NODE_ENV: 'production', KERNEL_ALLOW_SOFTHSM: 'true' });
    const keys = await (await proxy.client()).keys();
    expect(keys.map(({ kid, protection }) => [kid, protection])).toEqual([
      [AUDIT, 'softhsm'],
      [MANIFEST, 'softhsm'],
    ]);
  });

  it.each([
    ['could be copied out of it', { extractable: true, sensitive: true }, 'CKA_EXTRACTABLE'],
    ['could be read in clear', { extractable: false, sensitive: false }, 'CKA_SENSITIVE'],
  ])('when a key %s', async (_what, attributes, named) => {
    const kid = `bad-${named}`;
    if (!proxy.token) throw new Error('there is no token');
    await generateTokenKey(proxy.token, kid, attributes);
    const said = await refusalOf('signing-proxy', proxy.dir, {
      ...environment,
      KERNEL_ALLOW_SOFTHSM: 'true',
      KERNEL_SIGNING_KEYS: JSON.stringify([{ kid, purposes: ['audit'] }]),
    });
    expect(said).toContain(`Key ${kid} in token`);
    expect(said).toContain(named);
  });
});
