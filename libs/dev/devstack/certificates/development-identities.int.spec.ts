import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { type CertificateFiles } from './development-ca';
import { openDevelopmentIdentities } from './development-identities';

const DAY_MS = 24 * 60 * 60 * 1000;
const daysFromNow = (days: number) => () => new Date(Date.now() + days * DAY_MS);

describe('development identities', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'identities-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const certificate = async (files: CertificateFiles) => new X509Certificate(await readFile(files.cert));

  it('carry CN and SPIFFE id, keys readable by their owner only', async () => {
    const identities = await openDevelopmentIdentities(dir);
    const operator = await certificate(identities.callers.OPERATOR);
    expect(operator.subject).toBe('CN=dev-operator');
    expect(operator.subjectAltName).toBe('URI:spiffe://kernel.localhost/dev-operator');
    expect((await certificate(identities.kernelServer)).subjectAltName).toContain('IP Address:127.0.0.1');
    const keys = (await readdir(dir)).filter((name) => name.endsWith('.key'));
    expect(keys).toHaveLength(1 + 5 + 2 * 5 + 6);
    for (const key of keys) expect((await stat(join(dir, key))).mode & 0o777).toBe(0o600);
    expect(identities.approvers.map((a) => a.id)).toEqual([1, 2, 3, 4, 5].map((n) => `approver-${n}`));
    for (const { approvalKey } of identities.approvers) {
      expect(createPrivateKey(await readFile(approvalKey)).asymmetricKeyType).toBe('ed25519');
    }
  });

  it('are accepted in a mutual TLS handshake by every name of the loopback address, and no others are', async () => {
    const ours = await openDevelopmentIdentities(dir);
    const foreign = await openDevelopmentIdentities(join(dir, 'foreign'));
    const ca = await readFile(ours.caCert);
    const server = createServer({
      ca,
      cert: await readFile(ours.kernelServer.cert),
      key: await readFile(ours.kernelServer.key),
      requestCert: true,
      rejectUnauthorized: true,
    });
    server.on('secureConnection', (socket: TLSSocket) =>
      socket.end(String(socket.getPeerCertificate().subject.CN)),
    );
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const dial = async (files: CertificateFiles | undefined, servername: string) => {
      const pair =
        files === undefined ? {} : { cert: await readFile(files.cert), key: await readFile(files.key) };
      return await new Promise<string>((resolve) => {
        const host = servername === '::1' ? '::1' : '127.0.0.1';
        const socket = connect({
          port,
          host,
          ca,
          ...pair,
          ...(servername === 'localhost' ? { servername } : {}),
        });
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        // In TLS 1.3 the client learns of its refusal after its own side of the handshake: an error or a bare end.
        socket.on('end', () => resolve(text === '' ? 'refused' : text));
        socket.on('error', () => resolve('refused'));
      });
    };
    try {
      expect(await dial(ours.callers.AUDITOR, 'localhost')).toBe('dev-auditor');
      expect(await dial(ours.callers.AUDITOR, '127.0.0.1')).toBe('dev-auditor');
      expect(await dial(undefined, 'localhost')).toBe('refused');
      expect(await dial(foreign.callers.AUDITOR, 'localhost')).toBe('refused');
      // A server's certificate is not valid for a client.
      expect(await dial(ours.kernelServer, 'localhost')).toBe('refused');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('are kept while they are good and renewed before they expire', async () => {
    const first = await openDevelopmentIdentities(dir);
    const serial = (await certificate(first.callers.OPERATOR)).serialNumber;
    const approvalKey = await readFile(first.approvers[0]?.approvalKey ?? '', 'utf8');
    const caText = await readFile(first.caCert, 'utf8');
    await openDevelopmentIdentities(dir, daysFromNow(59));
    expect((await certificate(first.callers.OPERATOR)).serialNumber).toBe(serial);
    await openDevelopmentIdentities(dir, daysFromNow(61));
    const renewed = await certificate(first.callers.OPERATOR);
    expect(renewed.serialNumber).not.toBe(serial);
    expect(new Date(renewed.validTo).getTime()).toBeGreaterThan(daysFromNow(149)().getTime());
    expect(await readFile(first.caCert, 'utf8')).toBe(caText);
    expect(await readFile(first.approvers[0]?.approvalKey ?? '', 'utf8')).toBe(approvalKey);
    await openDevelopmentIdentities(dir, daysFromNow(3600));
    expect(await readFile(first.caCert, 'utf8')).not.toBe(caText);
    const after = await certificate(first.callers.OPERATOR);
    expect(after.checkIssued(new X509Certificate(await readFile(first.caCert)))).toBe(true);
  });

  it('mend what a crash left half written and refuse what they cannot mend', async () => {
    const first = await openDevelopmentIdentities(dir);
    const { cert, key } = first.callers.OPERATOR;
    await writeFile(key, await readFile(first.callers.AUDITOR.key));
    const damaged = (await certificate(first.callers.OPERATOR)).serialNumber;
    await openDevelopmentIdentities(dir);
    const mended = new X509Certificate(await readFile(cert));
    expect(mended.serialNumber).not.toBe(damaged);
    expect(mended.checkPrivateKey(createPrivateKey(await readFile(key)))).toBe(true);
    await writeFile(first.approvers[2]?.approvalKey ?? '', 'half');
    await expect(openDevelopmentIdentities(dir)).rejects.toMatchObject({
      code: 'state_broken',
      message: expect.stringContaining('approver-3-approval.key'),
    });
    await rm(join(dir, 'ca.key'));
    await expect(openDevelopmentIdentities(dir)).rejects.toMatchObject({ code: 'state_broken' });
  });
});
