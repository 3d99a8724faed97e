import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { freePort } from '#dev/devstack';
import { TestBrowser, TestCa, withStack } from '#dev/testing';
import { type BoundedFetch, boundedFetch } from '#platform/http-client';
import { until } from '../faults/until';

describe('the listener for people over TLS', () => {
  let folder: string;
  let ca: TestCa;
  let port: number;
  let http: BoundedFetch;
  const origin = () => `https://localhost:${port}`;

  /** As certificate managers do: both files whole, one after the other. */
  async function putCertificate(): Promise<string> {
    const { cert, key } = await ca.issueServer();
    for (const [name, pem] of Object.entries({ cert, key })) {
      await writeFile(join(folder, `${name}.new`), pem, { mode: 0o600 });
      await rename(join(folder, `${name}.new`), join(folder, name));
    }
    return cert;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-web-tls-'));
    ca = await TestCa.create();
    port = await freePort();
    await putCertificate();
    http = boundedFetch({ ca: ca.cert, timeoutMs: 10_000, maxBytes: 1_000_000 });
  });
  afterAll(async () => {
    await http.close();
    await rm(folder, { recursive: true, force: true });
  });
  const stack = withStack({
    people: true,
    kernelVariables: () => ({
      KERNEL_WEB_PORT: String(port),
      KERNEL_WEB_ORIGIN: origin(),
      KERNEL_WEB_TLS_CERT_FILE: join(folder, 'cert'),
      KERNEL_WEB_TLS_KEY_FILE: join(folder, 'key'),
    }),
  });

  async function connected(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ host: 'localhost', port, ca: ca.cert, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  it('answers pages and operations to browsers without a certificate, and tells them to come by TLS alone', async () => {
    const browser = new TestBrowser(origin(), http.fetch);
    const home = await browser.get('/');
    expect([home.status, home.headers.get('strict-transport-security')]).toEqual([200, 'max-age=31536000']);
    const keys = await browser.get('/kernel/keys', { accept: 'application/json' });
    expect([keys.status, await keys.json()]).toMatchObject([401, { error: 'sign_in_required' }]);
    const login = await browser.get('/auth/login');
    expect(login.status).toBe(302);
    expect(browser.setCookies).toEqual([
      expect.stringMatching(/^__Host-kernel-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
    ]);
  });

  it('gives a certificate of a client no say', async () => {
    const { cert, key } = stack().identities.callers.SUPERADMIN;
    const socket = await connected({ cert: await readFile(cert), key: await readFile(key) });
    socket.write(`GET /kernel/keys HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it('speaks no old TLS, and no HTTP', async () => {
    await expect(
      connected({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow(/protocol|handshake|alert/i);
    await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow('fetch failed');
  });

  it('is there under a renewed certificate without a restart, while connections stay', async () => {
    const before = await connected();
    const renewed = await putCertificate();
    const serialOf = async () => {
      const socket = await connected();
      const { raw } = socket.getPeerX509Certificate() ?? {};
      socket.destroy();
      return raw?.toString('base64');
    };
    const expected = renewed.replaceAll(/-----[^-]+-----|\s/g, '');
    await until('the renewed certificate', async () => (await serialOf()) === expected);
    before.write(`GET / HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
    const [answer] = (await once(before, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    before.destroy();
  });
});
