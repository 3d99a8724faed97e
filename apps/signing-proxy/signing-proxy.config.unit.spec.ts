import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '#platform/process';
import { TestCa } from '#dev/testing';
import { signingProxyConfig } from './signing-proxy.config';

const dir = mkdtempSync(join(tmpdir(), 'signing-proxy-config-'));
const CERTIFICATES = join(dir, 'ca.pem');
beforeAll(async () => writeFileSync(CERTIFICATES, (await TestCa.create()).cert));
afterAll(() => rmSync(dir, { recursive: true }));

const ENVIRONMENT = {
  KERNEL_ORIGIN: 'kernel.example.com/test',
  KERNEL_TLS_CERT_FILE: CERTIFICATES,
  KERNEL_TLS_KEY_FILE: __filename,
  KERNEL_TLS_CLIENT_CA_FILE: CERTIFICATES,
  KERNEL_SIGNING_CLIENTS: '[{"cn":"kernel","purposes":["audit-event","manifest"]}]',
  KERNEL_SOFTWARE_KEY_DIR: '/var/lib/keys',
};
const load = (changes: Record<string, string>) =>
  loadConfig(signingProxyConfig, { ...ENVIRONMENT, ...changes });

describe('signing proxy configuration', () => {
  it('asks for little', () => {
    expect(load({})).toMatchObject({
      signer: 'software',
      listenPort: 8445,
      signingClients: [{ cn: 'kernel', purposes: ['audit-event', 'manifest'] }],
      signingKeys: [
        { kid: 'kernel-audit-ed25519-v1', purposes: ['audit'] },
        { kid: 'kernel-manifest-ed25519-v1', purposes: ['manifest'] },
      ],
    });
  });

  it.each([
    [
      'KERNEL_SIGNING_CLIENTS',
      'a client twice',
      '[{"cn":"a","purposes":["manifest"]},{"cn":"a","purposes":["manifest"]}]',
    ],
    ['KERNEL_SIGNING_CLIENTS', 'a client for nothing', '[{"cn":"a","purposes":[]}]'],
    ['KERNEL_SIGNING_CLIENTS', 'a client for what nobody knows', '[{"cn":"a","purposes":["everything"]}]'],
    [
      'KERNEL_SIGNING_CLIENTS',
      'a client with another member',
      '[{"cn":"*","purposes":["manifest"],"any":true}]',
    ],
    ['KERNEL_SIGNING_CLIENTS', 'nobody', '[]'],
    [
      'KERNEL_SIGNING_KEYS',
      'a key twice',
      '[{"kid":"a","purposes":["audit"]},{"kid":"a","purposes":["manifest"]}]',
    ],
    ['KERNEL_SIGNING_KEYS', 'a key for nothing', '[{"kid":"a","purposes":[]}]'],
    [
      'KERNEL_SIGNING_KEYS',
      'a key with the purpose of a request',
      '[{"kid":"a","purposes":["audit-event"]}]',
    ],
    ['KERNEL_SIGNING_KEYS', 'a key whose name is a path', '[{"kid":"../a","purposes":["audit"]}]'],
    [
      'KERNEL_SIGNING_KEYS',
      'version 0 of a key',
      '[{"kid":"a","purposes":["audit"],"keyId":"a","keyVersion":0}]',
    ],
    ['KERNEL_SIGNER', 'a signer nobody knows', 'none'],
    ['KERNEL_ORIGIN', 'an origin that is a sentence', 'my kernel'],
  ])('%s refuses %s', (variable, _what, value) => {
    expect(() => load({ [variable]: value })).toThrow(variable);
  });

  it('has the signer chosen and no folder of keys in production', () => {
    expect(() => load({ NODE_ENV: 'production' })).toThrow(/KERNEL_SIGNER[\s\S]*KERNEL_SOFTWARE_KEY_DIR/);
  });
});
