import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { createLogger, type Logger } from '#platform/process';
import { TestCa, type TestCertificate } from '#dev/testing';
import { CertificateReload, secureContextOf, type TlsMaterial } from './certificate-reload';

const HOUR_MS = 3_600_000;

describe('renewed TLS files', () => {
  let ca: TestCa;
  let server: Server;
  let files: TlsMaterial;
  let reload: CertificateReload;
  let client: TestCertificate;
  const refused: string[] = [];
  const log = {
    ...createLogger({ app: 'signing-proxy', level: 'silent' }),
    info: () => undefined,
    error: ({ reason }: { reason: string }) => void refused.push(reason),
  } as unknown as Logger;
  const materialOf = ({ cert, key }: TestCertificate, authority = ca): TlsMaterial => ({
    cert,
    key,
    clientCa: authority.cert,
  });

  beforeAll(async () => {
    ca = await TestCa.create();
    client = await ca.issueClient('kernel');
  });
  beforeEach(async () => {
    refused.length = 0;
    files = materialOf(await ca.issueServer());
    server = createServer(
      { ...secureContextOf(files), requestCert: true, rejectUnauthorized: true },
      (_, response) => response.end('hello'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    reload = new CertificateReload(server, () => files, files, log, HOUR_MS);
  });
  afterEach(async () => {
    reload.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** The serial number that a new connection is shown; null when the handshake failed. */
  const serial = (as: TestCertificate = client): Promise<string | null> =>
    new Promise((resolve) => {
      const { port } = server.address() as AddressInfo;
      const socket = connect({
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca: ca.cert,
        cert: as.cert,
        key: as.key,
      });
      let shown: string | null = null;
      socket.on('secureConnect', () => {
        shown = socket.getPeerX509Certificate()?.serialNumber ?? null;
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      });
      let answered = false;
      socket.on('data', () => (answered = true));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answered ? shown : null));
    });

  it('are in force for the next connection, without a restart', async () => {
    const before = await serial();
    files = materialOf(await ca.issueServer());
    reload.look();
    const after = await serial();
    expect(before).toMatch(/^[0-9A-F]+$/);
    expect(after).toMatch(/^[0-9A-F]+$/);
    expect(after).not.toBe(before);
  });

  it('exchange the authorities of clients', async () => {
    const next = await TestCa.create();
    files = { ...files, clientCa: next.cert };
    reload.look();
    expect(await serial()).toBeNull();
    expect(await serial(await next.issueClient('kernel'))).not.toBeNull();
  });

  it.each([
    ['a key of another certificate', async () => ({ ...files, key: (await ca.issueServer()).key })],
    ['half a file', async () => ({ ...files, cert: String(files.cert).slice(0, 200) })],
    [
      'a certificate that has ended',
      async () =>
        materialOf(
          await ca.issue({
            subject: [{ CN: ['localhost'] }],
            notBefore: new Date(Date.now() - 2 * HOUR_MS),
            notAfter: new Date(Date.now() - HOUR_MS),
          }),
        ),
    ],
  ])('are refused with %s, said once, and what was there stays', async (_what, made) => {
    const before = await serial();
    files = await made();
    reload.look();
    reload.look();
    expect(await serial()).toBe(before);
    expect(refused).toHaveLength(1);
  });
});
