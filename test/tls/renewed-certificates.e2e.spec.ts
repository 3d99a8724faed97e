import { X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import {
  type CertificateFiles,
  DEVELOPMENT_CALLERS,
  DevelopmentCa,
  developmentSpiffeId,
  KERNEL_CLIENT_COMMON_NAME,
  probe,
} from '#dev/devstack';
import { type HttpAnswer, MtlsClient, withStack } from '#dev/testing';

const OPERATOR = DEVELOPMENT_CALLERS.OPERATOR.commonName;
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
const PATIENCE_MS = 30_000;

type Outcome = number | string;

/** Callers that send one request after another and remember how each ended: a status, or why there was no answer. */
class Load {
  readonly outcomes: Outcome[] = [];
  private running = true;
  private readonly callers: Promise<void>[];

  constructor(callers: number, call: (n: number) => Promise<HttpAnswer>) {
    let count = 0;
    this.callers = Array.from({ length: callers }, async () => {
      while (this.running) this.outcomes.push(await outcomeOf(call(count++)));
    });
  }

  /** Waits for this many more answers. */
  async progress(more = 40): Promise<void> {
    const goal = this.outcomes.length + more;
    await until(`${more} more answers`, () => this.outcomes.length >= goal);
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.callers);
  }

  /** The different outcomes. */
  get kinds(): Outcome[] {
    return [...new Set(this.outcomes)];
  }
}

async function outcomeOf(answer: Promise<HttpAnswer>): Promise<Outcome> {
  try {
    return (await answer).status;
  } catch (error) {
    await delay(20);
    return (error as { code?: string }).code ?? (error as Error).message;
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await delay(20);
  }
}

const serialOf = async (file: string): Promise<string> =>
  new X509Certificate(await readFile(file)).serialNumber;

describe('certificates, authorities and revocation lists that are replaced under load', () => {
  const stack = withStack({ logLevel: 'info' });
  const open: MtlsClient[] = [];
  let bothFile: string;
  let next: DevelopmentCa;

  beforeAll(async () => {
    next = await DevelopmentCa.open(join(stack().dir, 'next-ca'));
    bothFile = join(stack().dir, 'both.pem');
    const { caCert } = stack().identities;
    await writeFile(bothFile, (await readFile(caCert, 'utf8')) + (await readFile(next.certFile, 'utf8')));
  });
  afterAll(() => Promise.all(open.map((client) => client.close())));

  const client = (identity: CertificateFiles, url = stack().kernels[0]?.apiUrl ?? ''): MtlsClient => {
    const made = new MtlsClient(url, { ca: bothFile, identity, connections: 8 });
    open.push(made);
    return made;
  };
  const operator = (name: string, ca: DevelopmentCa = stack().identities.ca) =>
    ca.ensure({ name, commonName: OPERATOR, usage: 'client', uri: developmentSpiffeId(OPERATOR) });
  const sign = (by: MtlsClient, n: number) =>
    by.post('/kernel/sign', { manifest: { id: `renewed-${n}`, version: '1.0.0', kind: 'tls-test' } });
  /** Sends each request on its own connection. */
  const fresh = async (identity: CertificateFiles, url?: string, path = '/kernel/audit/head') => {
    const once = new MtlsClient(url ?? stack().kernels[0]?.apiUrl ?? '', { ca: bothFile, identity });
    try {
      return await once.get(path);
    } finally {
      await once.close();
    }
  };
  const shown = (url: string, { cert, key }: CertificateFiles) =>
    new Promise<string | undefined>((resolve, reject) => {
      void Promise.all([readFile(bothFile), readFile(cert), readFile(key)]).then(([ca, certPem, keyPem]) => {
        const { hostname: host, port } = new URL(url);
        const socket = connect({ host, port: Number(port), ca, cert: certPem, key: keyPem }, () => {
          resolve(socket.getPeerX509Certificate()?.serialNumber);
          socket.destroy();
        });
        socket.on('error', reject);
      });
    });
  const replace = async (of: CertificateFiles, by: CertificateFiles): Promise<void> => {
    await rename(by.key, of.key);
    // For a moment the key and the certificate do not match.
    await delay(200);
    await rename(by.cert, of.cert);
  };
  const kernelUrl = () => stack().kernels[0]?.apiUrl ?? '';
  const proxyUrl = () => stack().signingProxyUrl;
  const metrics = async (of: 'kernel' | 'proxy') => {
    const { managementUrl = '' } = stack().kernels[0] ?? {};
    const url = of === 'kernel' ? managementUrl : stack().signingProxyManagementUrl;
    return (await probe(`${url}/metrics`)).text;
  };
  const inForce = (serial: string, use: string) =>
    until(`${serial} is in force as ${use}`, async () =>
      (await metrics(use === 'signing_proxy' ? 'proxy' : 'kernel'))
        .split('\n')
        .some((line) => line.includes(`use="${use}"`) && line.includes(`serial="${serial}"`)),
    );

  it('servers show the new certificate, the kernel calls with a new one, and no request fails', async () => {
    const { identities } = stack();
    const { ca } = identities;
    const good = await operator('good');
    const kept = client(good);
    const signs = new Load(6, (n) => sign(kept, n));
    const news = new Load(2, () => fresh(good));
    await Promise.all([signs.progress(), news.progress(10)]);
    const server = (name: string, commonName: string) =>
      ca.ensure({ name, commonName, usage: 'server', hosts: LOOPBACK });
    const before = [await shown(kernelUrl(), good), await shown(proxyUrl(), good)];
    await replace(identities.kernelServer, await server('kernel-server-2', 'kernel'));
    await replace(identities.proxyServer, await server('signing-proxy-server-2', 'signing-proxy'));
    const caller = await ca.ensure({
      name: 'kernel-client-2',
      commonName: KERNEL_CLIENT_COMMON_NAME,
      usage: 'client',
    });
    await replace(identities.kernelClient, caller);
    await inForce(await serialOf(identities.kernelServer.cert), 'service_api');
    await inForce(await serialOf(identities.proxyServer.cert), 'signing_proxy');
    await inForce(await serialOf(identities.kernelClient.cert), 'signing_proxy_client');
    await Promise.all([signs.progress(), news.progress(10)]);
    await Promise.all([signs.stop(), news.stop()]);
    expect([signs.kinds, news.kinds]).toEqual([[200], [200]]);
    const after = [await shown(kernelUrl(), good), await shown(proxyUrl(), good)];
    expect(after).toEqual([
      await serialOf(identities.kernelServer.cert),
      await serialOf(identities.proxyServer.cert),
    ]);
    expect(after).not.toEqual(before);
    expect(await metrics('kernel')).toContain(
      'tls_revocation_list_expiry_timestamp_seconds{use="service_api"',
    );
  });

  it('a revoked client is refused by the kernel, on open connections too, and nobody else', async () => {
    const [good, bad] = [await operator('good'), await operator('bad')];
    const [ofGood, ofBad] = [client(good), client(bad)];
    const goods = new Load(6, (n) => sign(ofGood, n));
    const news = new Load(2, () => fresh(good));
    const bads = new Load(4, (n) => sign(ofBad, n));
    await Promise.all([goods.progress(), news.progress(10), bads.progress()]);
    expect(bads.kinds).toEqual([200]);
    await stack().identities.ca.revoke(bad);
    await until('the revoked client is refused', () => bads.outcomes.at(-1) !== 200);
    const from = bads.outcomes.length;
    await Promise.all([goods.progress(), news.progress(10), bads.progress()]);
    await Promise.all([goods.stop(), news.stop(), bads.stop()]);
    // Requests in flight on its other connections may still have been answered at first.
    expect(bads.outcomes.slice(from + 4)).not.toContain(200);
    expect(await outcomeOf(fresh(bad))).not.toBe(200);
    expect([goods.kinds, news.kinds]).toEqual([[200], [200]]);
  });

  it('a revoked client is refused by the signing proxy, on open connections too, and nobody else', async () => {
    const { ca } = stack().identities;
    const one = (name: string) => ca.ensure({ name, commonName: KERNEL_CLIENT_COMMON_NAME, usage: 'client' });
    const [good, bad] = [await one('good-caller'), await one('bad-caller')];
    const [ofGood, ofBad] = [client(good, proxyUrl()), client(bad, proxyUrl())];
    const goods = new Load(4, () => ofGood.get('/v1/keys'));
    const bads = new Load(4, () => ofBad.get('/v1/keys'));
    const kept = client(await operator('good'));
    const signs = new Load(4, (n) => sign(kept, n));
    await Promise.all([goods.progress(), bads.progress(), signs.progress()]);
    expect(bads.kinds).toEqual([200]);
    await ca.revoke(bad);
    await until('the revoked client is refused', () => bads.outcomes.at(-1) !== 200);
    const from = bads.outcomes.length;
    await Promise.all([goods.progress(), bads.progress(), signs.progress()]);
    await Promise.all([goods.stop(), bads.stop(), signs.stop()]);
    expect(bads.outcomes.slice(from + 4)).not.toContain(200);
    expect(await outcomeOf(fresh(bad, proxyUrl(), '/v1/keys'))).not.toBe(200);
    expect([goods.kinds, signs.kinds]).toEqual([[200], [200]]);
  });

  it('another authority takes the place of the one there is: both, then new certificates, then the new one', async () => {
    const { identities } = stack();
    const files = { ca: identities.caCert, crl: identities.ca.crlFile };
    const [oldOperator, newOperator] = [await operator('good'), await operator('new-operator', next)];
    const rootOf = async (file: string) => new X509Certificate(await readFile(file)).serialNumber;
    const ofOld = client(oldOperator);
    const old = new Load(4, (n) => sign(ofOld, n));
    await old.progress();
    expect(await outcomeOf(fresh(newOperator))).not.toBe(200);

    await writeFile(files.crl, (await readFile(files.crl, 'utf8')) + (await readFile(next.crlFile, 'utf8')));
    await writeFile(files.ca, await readFile(bothFile));
    for (const use of ['service_api', 'signing_proxy', 'signing_proxy_client']) {
      await inForce(await rootOf(next.certFile), use);
    }
    const ofNew = client(newOperator);
    const young = new Load(4, (n) => sign(ofNew, n));
    await Promise.all([old.progress(), young.progress()]);

    const server = (name: string, commonName: string) =>
      next.ensure({ name, commonName, usage: 'server', hosts: LOOPBACK });
    await replace(identities.kernelServer, await server('kernel-server', 'kernel'));
    await replace(identities.proxyServer, await server('signing-proxy-server', 'signing-proxy'));
    await replace(
      identities.kernelClient,
      await next.ensure({ name: 'kernel-client', commonName: KERNEL_CLIENT_COMMON_NAME, usage: 'client' }),
    );
    await inForce(await serialOf(identities.kernelServer.cert), 'service_api');
    await inForce(await serialOf(identities.proxyServer.cert), 'signing_proxy');
    await inForce(await serialOf(identities.kernelClient.cert), 'signing_proxy_client');
    await Promise.all([old.progress(), young.progress()]);
    expect(old.kinds).toEqual([200]);

    await writeFile(files.ca, await readFile(next.certFile));
    await until('the old authority is refused', () => old.outcomes.at(-1) !== 200);
    const from = old.outcomes.length;
    await Promise.all([old.progress(), young.progress()]);
    await Promise.all([old.stop(), young.stop()]);
    expect(old.outcomes.slice(from + 4)).not.toContain(200);
    expect(young.kinds).toEqual([200]);
    expect(await outcomeOf(fresh(oldOperator))).not.toBe(200);
    // The kernel can still have things signed.
    expect((await sign(ofNew, 0)).status).toBe(200);
  });
});
