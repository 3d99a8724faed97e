import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import {
  BasicConstraintsExtension,
  PemConverter,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';
import { type CertificateFiles, DevelopmentCa } from '#dev/devstack';
import { createLogger } from '#platform/process';
import { whyConnectionRefused } from '../access/refused-connections';
import { ServerTls, serverTlsOptions, type ServiceTls } from './server-tls';

const DAY_MS = 24 * 60 * 60 * 1000;

const EC_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Authority {
  certificate: X509Certificate;
  keys: webcrypto.CryptoKeyPair;
  pem: string;
  keyPem(): Promise<string>;
  /** Its list (PEM). */
  revoking(...revoked: Authority[]): Promise<string>;
}

/** An authority, or a certificate that one issued, without files. */
async function authority(name: string, by?: Authority, isCa = true): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(EC_P256, true, ['sign', 'verify']);
  const certificate: X509Certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomBytes(8).toString('hex'),
      subject: `CN=${name}`,
      issuer: by?.certificate.subject ?? `CN=${name}`,
      signingAlgorithm: EC_P256,
      publicKey: keys.publicKey,
      signingKey: (by?.keys ?? keys).privateKey,
      notAfter: new Date(Date.now() + DAY_MS),
      extensions: [new BasicConstraintsExtension(isCa, undefined, true)],
    },
    webcrypto,
  );
  const revoking = async (...revoked: Authority[]): Promise<string> => {
    const list = await X509CrlGenerator.create(
      {
        issuer: certificate.subject,
        nextUpdate: new Date(Date.now() + DAY_MS),
        signingAlgorithm: EC_P256,
        signingKey: keys.privateKey,
        entries: revoked.map(({ certificate: { serialNumber } }) => ({ serialNumber })),
      },
      webcrypto,
    );
    return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`;
  };
  const keyPem = async () =>
    PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { certificate, keys, pem: `${certificate.toString('pem')}\n`, keyPem, revoking };
}

/** A client's connection that is kept open. */
class Connection {
  closed = false;
  received = '';
  session: Buffer | undefined;
  /** Serial number of the server's certificate. */
  serial: string | undefined;
  readonly ended: Promise<void>;

  private constructor(readonly socket: TLSSocket) {
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()));
    socket.on('session', (session) => (this.session = session));
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.ended.then(() => (this.closed = true));
    // On a client, Node returns it once.
    socket.once('secureConnect', () => (this.serial = socket.getPeerX509Certificate()?.serialNumber));
  }

  /** Returns null when the server did not accept it. */
  static async open(
    port: number,
    ca: string,
    files: CertificateFiles,
    session?: Buffer,
  ): Promise<Connection | null> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: await readFile(ca),
      cert: await readFile(files.cert),
      key: await readFile(files.key),
      ...(session !== undefined && { session }),
    });
    const connection = new Connection(socket);
    // With TLS 1.3 the client learns only by its first read whether the server took its certificate.
    const taken = await connection.ask('/');
    return taken ? connection : null;
  }

  /** Whether the request is answered. */
  async ask(path: string): Promise<boolean> {
    const before = this.received.length;
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    while (!this.closed && !this.received.slice(before).includes('\r\n\r\n')) await delay(5);
    return this.received.slice(before).startsWith('HTTP/1.1 200');
  }
}

describe('the TLS of a server', () => {
  let dir: string;
  let ca: DevelopmentCa;
  let server: Server;
  let tls: ServerTls;
  let port: number;
  let finishSlow: (() => void) | undefined;
  let served: string[];
  const open = (files: CertificateFiles, session?: Buffer) =>
    Connection.open(port, ca.certFile, files, session);
  const issue = (name: string, usage: 'client' | 'server' = 'client', from = ca) =>
    from.ensure({ name, commonName: name, usage, hosts: usage === 'server' ? ['127.0.0.1'] : [] });
  const materialOf = async (
    files: CertificateFiles,
    ...authorities: DevelopmentCa[]
  ): Promise<ServiceTls> => {
    const read = async (paths: string[]) =>
      (await Promise.all(paths.map((path) => readFile(path, 'utf8')))).join('');
    return {
      cert: await readFile(files.cert),
      key: await readFile(files.key),
      ca: await read(authorities.map(({ certFile }) => certFile)),
      crl: await read(authorities.map(({ crlFile }) => crlFile)),
    };
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'server-tls-'));
    ca = await DevelopmentCa.open(join(dir, 'ca'));
    served = [];
    finishSlow = undefined;
    const material = await materialOf(await issue('server', 'server'), ca);
    server = createServer(serverTlsOptions(material), (request, response) => {
      const refused = whyConnectionRefused(request.socket);
      served.push(`${request.url}${refused === undefined ? '' : ` (${refused})`}`);
      if (request.url === '/slow') {
        response.flushHeaders();
        finishSlow = () => response.end('slow');
      } else if (request.url === '/waits') finishSlow = () => response.end('waited');
      else response.end('hello');
    });
    tls = new ServerTls(server, material, createLogger({ app: 'test', level: 'silent' }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true, force: true });
  });

  it('shows a renewed certificate to new connections, and keeps those that are open', async () => {
    const client = await issue('client');
    const before = await open(client);
    tls.renew(await materialOf(await issue('server-2', 'server'), ca));
    const after = await open(client);
    expect(before?.serial).toMatch(/^[0-9A-F]+$/);
    expect(after?.serial).toMatch(/^[0-9A-F]+$/);
    expect(after?.serial).not.toBe(before?.serial);
    expect(await before?.ask('/')).toBe(true);
  });

  it('ends the idle connections of a revoked client alone, and takes no new one of it', async () => {
    const files = await issue('server', 'server');
    const [bad, good] = [await issue('bad'), await issue('good')];
    const connections = await Promise.all([open(bad), open(bad), open(good)]);
    await ca.revoke(bad);
    tls.renew(await materialOf(files, ca));
    await Promise.all([connections[0]?.ended, connections[1]?.ended]);
    expect(await connections[2]?.ask('/')).toBe(true);
    expect(await open(bad)).toBeNull();
    expect(await open(good)).not.toBeNull();
  });

  it('lets no revoked client in by a session of before', async () => {
    const files = await issue('server', 'server');
    const [bad, good] = [await issue('bad'), await issue('good')];
    const [ofBad, ofGood] = [await open(bad), await open(good)];
    expect((await open(good, ofGood?.session))?.socket.isSessionReused()).toBe(true);
    await ca.revoke(bad);
    tls.renew(await materialOf(files, ca));
    expect(ofBad?.session).toBeDefined();
    expect(await open(bad, ofBad?.session)).toBeNull();
    expect((await open(good, ofGood?.session))?.socket.isSessionReused()).toBe(false);
  });

  it.each(['/slow', '/waits'])(
    'lets the answer under way end (%s), and serves nothing behind it',
    async (path) => {
      const bad = await issue('bad');
      const connection = await open(bad);
      const answer = connection?.ask(path);
      while (finishSlow === undefined) await delay(5);
      await ca.revoke(bad);
      tls.renew(await materialOf(await issue('server', 'server'), ca));
      connection?.socket.write('GET /behind HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await delay(50);
      expect(connection?.closed).toBe(false);
      finishSlow();
      expect(await answer).toBe(true);
      await connection?.ended;
      expect(connection?.received).toContain(path === '/slow' ? 'slow' : 'waited');
      expect(served.filter((one) => one.startsWith('/behind'))).not.toContain('/behind');
    },
  );

  it('ends the connections of an authority that is not accepted any more', async () => {
    const next = await DevelopmentCa.open(join(dir, 'next'));
    const files = await issue('server', 'server');
    const [old, young] = [await issue('old'), await issue('young', 'client', next)];
    const before = await open(old);
    expect(await open(young)).toBeNull();
    tls.renew(await materialOf(files, ca, next));
    expect(await before?.ask('/')).toBe(true);
    const after = await open(young);
    tls.renew(await materialOf(files, next));
    await before?.ended;
    expect(await after?.ask('/')).toBe(true);
    expect(await open(old)).toBeNull();
  });

  describe('for a certificate of an intermediate authority', () => {
    let root: Authority;
    let other: Authority;
    let between: Authority;
    let files: CertificateFiles;
    let own: ServiceTls;
    beforeEach(async () => {
      root = await authority('root');
      other = await authority('other root');
      between = await authority('between', root);
      const leaf = await authority('leaf', between, false);
      files = { cert: join(dir, 'leaf.pem'), key: join(dir, 'leaf.key') };
      await writeFile(files.cert, leaf.pem + between.pem);
      await writeFile(files.key, await leaf.keyPem());
      own = { ...(await materialOf(await issue('server', 'server'), ca)), crl: undefined };
    });
    const lists = async (...revoked: Authority[]) =>
      (await root.revoking(...revoked)) + (await between.revoking());

    it.each(['in the file', 'sent along'])(
      'that is %s keeps connections while the root stays',
      async (where) => {
        const roots = root.pem + (where === 'in the file' ? between.pem : '');
        tls.renew({ ...own, ca: roots });
        const connection = await open(files);
        tls.renew({ ...own, ca: roots + other.pem });
        expect(await connection?.ask('/')).toBe(true);
        tls.renew({ ...own, ca: roots + other.pem, crl: (await lists()) + (await other.revoking()) });
        expect(await connection?.ask('/')).toBe(true);
      },
    );

    it.each(['in the file', 'sent along'])('that is %s ends connections with its root', async (where) => {
      const mid = where === 'in the file' ? between.pem : '';
      tls.renew({ ...own, ca: root.pem + other.pem + mid });
      const connection = await open(files);
      tls.renew({ ...own, ca: other.pem + mid });
      await connection?.ended;
      expect(await open(files)).toBeNull();
    });

    it.each(['in the file', 'sent along'])(
      'that is %s ends connections when it is revoked',
      async (where) => {
        const roots = root.pem + (where === 'in the file' ? between.pem : '');
        tls.renew({ ...own, ca: roots, crl: await lists() });
        const connection = await open(files);
        expect(connection).not.toBeNull();
        tls.renew({ ...own, ca: roots, crl: await lists(between) });
        await connection?.ended;
        expect(await open(files)).toBeNull();
      },
    );
  });

  it('refuses who began a handshake before the list came and ended it after', async () => {
    const bad = await issue('bad');
    await ca.revoke(bad);
    const renewed = await materialOf(await issue('server', 'server'), ca);
    // A connection has the context of the moment in which it is accepted.
    server.once('connection', () => tls.renew(renewed));
    expect(await open(bad)).toBeNull();
    // Requests of the same moment are marked, and their answers reach no one.
    expect(served).not.toContain('/');
  });

  it('with a list that has ended takes no new connection, and keeps those that are open', async () => {
    const client = await issue('client');
    const files = await issue('server', 'server');
    const open1 = await open(client);
    const past = await DevelopmentCa.open(join(dir, 'past'), () => new Date(Date.now() - 3650 * DAY_MS));
    const ended = await materialOf(files, ca);
    tls.renew({ ...ended, crl: await readFile(past.crlFile) });
    expect(await open(client)).toBeNull();
    expect(await open1?.ask('/')).toBe(true);
  });
});
