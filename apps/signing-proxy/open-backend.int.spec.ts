import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, loadConfig } from '#platform/process';
import { type SigningBackend } from '#platform/signer';
import { FakeAwsKms, FakeTransit } from '#dev/testing';
import { openBackend } from './open-backend';
import { AUDIT, MANIFEST, ORIGIN, type ProxyFixture, startProxyFixture } from './proxy.fixture';
import { signingProxyConfig } from './signing-proxy.config';

const KEYS = [
  { kid: AUDIT, purposes: ['audit'] },
  { kid: MANIFEST, purposes: ['manifest'] },
];

describe('openBackend', () => {
  let dir: string;
  let upstream: ProxyFixture;
  let kms: FakeAwsKms;
  let vault: FakeTransit;
  let environment: Record<string, string>;
  let backend: SigningBackend | undefined;

  const open = async (changes: Record<string, string>): Promise<SigningBackend> => {
    const config = loadConfig(signingProxyConfig, { ...environment, ...changes });
    backend = await openBackend(config, createLogger({ app: 'signing-proxy', level: 'silent' }));
    return backend;
  };
  const withAwsCredentials = async (act: () => Promise<void>): Promise<void> => {
    const { accessKeyId, secretAccessKey } = kms.credentials;
    const variables = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    // eslint-disable-next-line no-restricted-properties -- not configuration: the AWS SDK reads its own variables from it
    const { env } = process;
    Object.assign(env, variables);
    try {
      await act();
    } finally {
      for (const name of Object.keys(variables)) Reflect.deleteProperty(env, name);
    }
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'open-backend-'));
    upstream = await startProxyFixture();
    kms = await new FakeAwsKms().start();
    vault = await (await FakeTransit.create()).start();
    for (const { kid } of KEYS) {
      kms.addKey(kid);
      vault.addKey(kid);
    }
    const client = await upstream.as('kernel');
    const files = {
      'ca.pem': upstream.ca.cert,
      'cert.pem': client.cert,
      'key.pem': client.key,
      'vault-ca.pem': vault.caCert,
      'vault-cert.pem': vault.client.cert,
      'vault-key.pem': vault.client.key,
      jwt: vault.jwt,
      token: vault.addToken({ ttl: 0, renewable: false }),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text, { mode: 0o600 });
    environment = {
      KERNEL_ORIGIN: ORIGIN,
      KERNEL_TLS_CERT_FILE: join(dir, 'cert.pem'),
      KERNEL_TLS_KEY_FILE: join(dir, 'key.pem'),
      KERNEL_TLS_CLIENT_CA_FILE: join(dir, 'ca.pem'),
      KERNEL_SIGNING_CLIENTS: '[{"cn":"kernel","purposes":["audit-event"]}]',
      KERNEL_SIGNING_KEYS: JSON.stringify(KEYS),
      KERNEL_AWS_KMS_REGION: kms.region,
      KERNEL_AWS_KMS_ENDPOINT: kms.endpoint,
      KERNEL_VAULT_ADDRESS: vault.address,
      KERNEL_VAULT_CA_FILE: join(dir, 'vault-ca.pem'),
      KERNEL_VAULT_ROLE: vault.role,
      KERNEL_VAULT_JWT_FILE: join(dir, 'jwt'),
      KERNEL_VAULT_CLIENT_CERT_FILE: join(dir, 'vault-cert.pem'),
      KERNEL_VAULT_CLIENT_KEY_FILE: join(dir, 'vault-key.pem'),
      KERNEL_VAULT_TOKEN_FILE: join(dir, 'token'),
      KMS_ENDPOINT: upstream.url,
      KMS_CA_FILE: join(dir, 'ca.pem'),
      KMS_CLIENT_CERT_FILE: join(dir, 'cert.pem'),
      KMS_CLIENT_KEY_FILE: join(dir, 'key.pem'),
    };
  });
  afterEach(async () => {
    await backend?.close();
    backend = undefined;
  });
  afterAll(async () => {
    await Promise.all([upstream.stop(), kms.stop(), vault.stop()]);
    await rm(dir, { recursive: true });
  });

  it('opens aws-kms with the credentials of the SDK, and nothing else', async () => {
    await withAwsCredentials(async () => {
      const { name } = await open({ KERNEL_SIGNER: 'aws-kms', REQUIRE_KMS: 'true' });
      expect(name).toBe('aws-kms');
    });
  });

  it.each(['kubernetes', 'cert', 'token-file'])('opens vault-transit with %s', async (method) => {
    const { name } = await open({
      KERNEL_SIGNER: 'vault-transit',
      KERNEL_VAULT_AUTH: method,
      REQUIRE_KMS: 'true',
    });
    expect(name).toBe('vault-transit');
  });

  it('opens another signing proxy, and takes its word for how keys are kept', async () => {
    expect((await open({ KERNEL_SIGNER: 'proxy' })).keys()[0]).toMatchObject({
      backend: 'proxy',
      protection: 'software',
    });
    await expect(open({ KERNEL_SIGNER: 'proxy', REQUIRE_KMS: 'true' })).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining(`REQUIRE_KMS is in force, and Key ${AUDIT} (proxy) is kept in files`),
    });
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    [
      'a proxy of another kernel',
      { KERNEL_SIGNER: 'proxy', KERNEL_ORIGIN: 'kernel.example.com/other' },
      'misconfigured',
      /signs for kernel\.example\.com\/test, not for kernel\.example\.com\/other/,
    ],
    [
      'a proxy that lacks the key',
      { KERNEL_SIGNER: 'proxy', KERNEL_SIGNING_KEYS: '[{"kid":"elsewhere","purposes":["audit"]}]' },
      'unknown_key',
      /holds no key elsewhere/,
    ],
    [
      'a proxy whose key is for something else',
      { KERNEL_SIGNER: 'proxy', KERNEL_SIGNING_KEYS: `[{"kid":"${AUDIT}","purposes":["manifest"]}]` },
      'key_refused',
      /does not serve manifest/,
    ],
    [
      'a proxy that is away',
      { KERNEL_SIGNER: 'proxy', KMS_ENDPOINT: 'https://localhost:1' },
      'signing_unavailable',
      /./,
    ],
    [
      'Vault without a way to log in',
      { KERNEL_SIGNER: 'vault-transit' },
      'misconfigured',
      /KERNEL_VAULT_AUTH is missing/,
    ],
    [
      'Vault without a role',
      { KERNEL_SIGNER: 'vault-transit', KERNEL_VAULT_AUTH: 'kubernetes', KERNEL_VAULT_ROLE: '' },
      'misconfigured',
      /KERNEL_VAULT_ROLE is missing/,
    ],
    [
      'Vault without TLS in production',
      {
        NODE_ENV: 'production',
        KERNEL_SIGNER: 'vault-transit',
        KERNEL_VAULT_AUTH: 'cert',
        KERNEL_VAULT_ADDRESS: 'http://localhost:1',
      },
      'refused_in_production',
      /KERNEL_VAULT_ADDRESS has to be https/,
    ],
    [
      'AWS KMS without TLS in production',
      { NODE_ENV: 'production', KERNEL_SIGNER: 'aws-kms' },
      'refused_in_production',
      /KERNEL_AWS_KMS_ENDPOINT has to be https/,
    ],
    [
      'a version of a key where there are none',
      {
        KERNEL_SIGNER: 'aws-kms',
        KERNEL_SIGNING_KEYS: `[{"kid":"${AUDIT}","purposes":["audit"],"keyVersion":1}]`,
      },
      'misconfigured',
      /gives proxy-audit-v1 a "keyVersion", which KERNEL_SIGNER=aws-kms does not take/,
    ],
    [
      'a key of another name where there are none',
      {
        KERNEL_SIGNER: 'software',
        KERNEL_SOFTWARE_KEY_DIR: '/nowhere',
        KERNEL_SIGNING_KEYS: `[{"kid":"${AUDIT}","purposes":["audit"],"keyId":"x"}]`,
      },
      'misconfigured',
      /"keyId", which KERNEL_SIGNER=software does not take: it is for aws-kms and vault-transit/,
    ],
  ])('does not open %s, and says why', async (_what, changes, code, sentence) => {
    await expect(open(changes)).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
  });
});
