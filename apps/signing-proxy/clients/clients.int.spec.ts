import { connect } from 'node:tls';
import { TestCa, type TestCertificate } from '#dev/testing';
import {
  archiveDayItem,
  auditItem,
  auditReportItem,
  manifestItem,
  type ProxyFixture,
  startProxyFixture,
} from '../proxy.fixture';

const HOUR_MS = 3_600_000;

describe('who may have what signed', () => {
  let fixture: ProxyFixture;
  beforeAll(async () => {
    fixture = await startProxyFixture({
      clients: [
        { cn: 'kernel', purposes: ['audit-event', 'manifest'] },
        { cn: 'manifests-only', purposes: ['manifest'] },
        { cn: 'archiver', purposes: ['archive-day'] },
        { cn: 'auditor', purposes: ['audit-report'] },
      ],
    });
  });
  afterAll(() => fixture.stop());

  it('a client that is not named may not sign, but read public keys', async () => {
    const stranger = await fixture.as('stranger');
    const signing = await fixture.sign([auditItem()], stranger);
    expect(signing).toMatchObject({ status: 403, body: { error: 'client_not_permitted' } });
    expect(fixture.logs.find(({ msg, client }) => msg === 'refused' && client === 'stranger')).toMatchObject({
      reason: 'client_not_permitted',
    });
    expect((await fixture.call({ method: 'GET', path: '/v1/keys', client: stranger })).status).toBe(200);
    expect((await fixture.call({ method: 'GET', path: '/v1/health', client: stranger })).status).toBe(200);
  });

  it('a client may have signed what it is named for and nothing else', async () => {
    const client = await fixture.as('manifests-only');
    expect((await fixture.sign([manifestItem()], client)).status).toBe(200);
    expect(await fixture.sign([manifestItem(), auditItem()], client)).toMatchObject({
      status: 403,
      body: { error: 'client_not_permitted', index: 1 },
    });
  });

  it.each([
    ['archiver', archiveDayItem(), [auditItem(), manifestItem(), auditReportItem()]],
    ['auditor', auditReportItem(), [auditItem(), manifestItem(), archiveDayItem()]],
  ])('the %s gets its own documents signed and nothing else', async (commonName, own, others) => {
    const client = await fixture.as(commonName);
    expect((await fixture.sign([own], client)).status).toBe(200);
    for (const other of others) {
      expect(await fixture.sign([other], client)).toMatchObject({
        status: 403,
        body: { error: 'client_not_permitted' },
      });
    }
  });

  it.each([
    ['other case', 'Kernel'],
    ['a blank behind', 'kernel '],
    ['a name in front', 'x.kernel'],
    ['a NUL behind', 'kernel\0'],
  ])('a common name with %s is another', async (_what, commonName) => {
    expect((await fixture.sign([auditItem()], await fixture.as(commonName))).status).toBe(403);
  });

  it('a certificate with two common names is nobody', async () => {
    const client = await fixture.ca.issue({ subject: [{ CN: ['stranger'] }, { CN: ['kernel'] }] });
    expect((await fixture.sign([auditItem()], client)).status).toBe(403);
  });

  it('a certificate without a common name is nobody', async () => {
    const client = await fixture.ca.issue({
      subject: [{ O: ['kernel'] }],
      names: [{ type: 'url', value: 'spiffe://test/kernel' }],
    });
    expect((await fixture.sign([auditItem()], client)).status).toBe(403);
  });

  it('lists the keys with its origin', async () => {
    const { body } = await fixture.call({ method: 'GET', path: '/v1/keys' });
    expect(body).toEqual({ origin: 'kernel.example.com/test', keys: fixture.backend.keys() });
  });

  describe('the handshake fails', () => {
    /** What the server said before it hung up, which is nothing when the handshake failed. */
    const knock = (client: TestCertificate | undefined, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') =>
      new Promise<string>((resolve) => {
        let answer = '';
        const socket = connect({
          host: '127.0.0.1',
          servername: 'localhost',
          port: fixture.proxy.port,
          ca: fixture.ca.cert,
          maxVersion,
          ...(client && { cert: client.cert, key: client.key }),
        });
        socket.on('secureConnect', () =>
          socket.end('GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
        );
        socket.on('data', (data: Buffer) => (answer += data.toString()));
        // With TLS 1.3 a refused certificate shows as an alert or as a connection that ends.
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(answer));
      });

    it('control: not for a good certificate', async () => {
      expect(await knock(await fixture.as('anyone'))).toMatch(/^HTTP\/1\.1 200 /);
    });

    it('without a certificate', async () => {
      expect(await knock(undefined)).toBe('');
    });

    it('with a certificate of another authority, even of the same name', async () => {
      const foreign = await TestCa.create();
      expect(await knock(await foreign.issueClient('kernel'))).toBe('');
    });

    it("with a server's certificate", async () => {
      expect(await knock(await fixture.ca.issueServer())).toBe('');
    });

    it('with an expired certificate', async () => {
      const client = await fixture.ca.issue({
        subject: [{ CN: ['kernel'] }],
        notBefore: new Date(Date.now() - 2 * HOUR_MS),
        notAfter: new Date(Date.now() - HOUR_MS),
      });
      expect(await knock(client)).toBe('');
    });

    it('below TLS 1.3', async () => {
      expect(await knock(await fixture.as('kernel'), 'TLSv1.2')).toBe('');
    });

    it('and is counted', async () => {
      expect(
        await fixture.metric('signing_proxy_refusals_total{reason="tls_handshake"}'),
      ).toBeGreaterThanOrEqual(5);
    });
  });
});
