import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  compileCache,
  BoundedLog,
  type DevelopmentIdentities,
  freePort,
  KERNEL_CLIENT_COMMON_NAME,
  openDevelopmentIdentities,
  probe,
  type RunningChild,
  softHsmModule,
  startChild,
} from '#dev/devstack';
import { type ProvisionedToken, provisionSoftHsm, SigningProxyClient } from '#platform/signer';
import { ensureBuilt, workTree } from '#dev/testing';

export const ORIGIN = 'kernel.example.com/proxy-process';
/** One for each worker of the heaviest test, and more. */
export const SHARDS = 32;
export const AUDIT = 'process-audit-v1';
export const MANIFEST = 'process-manifest-v1';

type SignerChoice = 'software' | 'pkcs11';

/** The compiled signing proxy as its own process, with everything it needs in a temporary folder. */
export class ProxyProcess {
  readonly clients: SigningProxyClient[] = [];
  child: RunningChild | null = null;

  private constructor(
    readonly dir: string,
    readonly environment: Readonly<Record<string, string>>,
    readonly url: string,
    readonly managementUrl: string,
    readonly token: ProvisionedToken | undefined,
    private readonly identities: DevelopmentIdentities,
    private readonly output: BoundedLog,
  ) {}

  static async prepare(signer: SignerChoice): Promise<ProxyProcess> {
    await ensureBuilt();
    const dir = await mkdtemp(join(tmpdir(), 'proxy-process-'));
    const identities = await openDevelopmentIdentities(join(dir, 'identities'));
    const token =
      signer === 'pkcs11'
        ? await provisionSoftHsm({
            dir: join(dir, 'token'),
            modulePath: softHsmModule(),
            keys: [
              { kid: AUDIT, purpose: 'audit' },
              { kid: MANIFEST, purpose: 'manifest' },
            ],
          })
        : undefined;
    const port = await freePort();
    const management = await freePort();
    await mkdir(join(dir, 'logs'));
    const environment = {
      NODE_ENV: 'development',
      KERNEL_ORIGIN: ORIGIN,
      KERNEL_SHARDS: String(SHARDS),
      KERNEL_LISTEN_HOST: '127.0.0.1',
      KERNEL_LISTEN_PORT: String(port),
      KERNEL_MANAGEMENT_HOST: '127.0.0.1',
      KERNEL_MANAGEMENT_PORT: String(management),
      KERNEL_TLS_CERT_FILE: identities.proxyServer.cert,
      KERNEL_TLS_KEY_FILE: identities.proxyServer.key,
      KERNEL_TLS_CLIENT_CA_FILE: identities.caCert,
      KERNEL_SIGNING_CLIENTS: JSON.stringify([
        { cn: KERNEL_CLIENT_COMMON_NAME, purposes: ['audit-event', 'manifest'] },
      ]),
      KERNEL_SIGNING_KEYS: JSON.stringify([
        { kid: AUDIT, purposes: ['audit'] },
        { kid: MANIFEST, purposes: ['manifest'] },
      ]),
      KERNEL_SIGNING_MARKS_DIR: join(dir, 'marks'),
      KERNEL_SIGNER: signer,
      ...(token === undefined
        ? { KERNEL_SOFTWARE_KEY_DIR: join(dir, 'keys') }
        : {
            KERNEL_PKCS11_MODULE: token.modulePath,
            KERNEL_PKCS11_TOKEN_LABEL: token.tokenLabel,
            KERNEL_PKCS11_PIN_FILE: token.pinFile,
            ...token.environment,
          }),
    };
    return new ProxyProcess(
      dir,
      environment,
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${management}`,
      token,
      identities,
      new BoundedLog(join(dir, 'logs', 'proxy.log')),
    );
  }

  /** A replica: another process with the same keys but its own ports and log. Its files are in this one's folder. */
  async sibling(): Promise<ProxyProcess> {
    const [port, management] = [await freePort(), await freePort()];
    return new ProxyProcess(
      this.dir,
      { ...this.environment, KERNEL_LISTEN_PORT: String(port), KERNEL_MANAGEMENT_PORT: String(management) },
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${management}`,
      this.token,
      this.identities,
      new BoundedLog(join(this.dir, 'logs', `proxy-${port}.log`)),
    );
  }

  /** Starts the process without waiting for it; variables that are `undefined` are left out. */
  async launch(changes: Readonly<Record<string, string | undefined>> = {}): Promise<RunningChild> {
    const merged = Object.entries({ ...this.environment, ...changes });
    this.child = await startChild({
      command: process.execPath,
      args: [join(workTree(), 'dist/apps/signing-proxy/main.js')],
      env: {
        ...Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== undefined)),
        ...compileCache(),
      },
      cwd: this.dir,
      log: this.output,
    });
    return this.child;
  }

  /** Starts the process and waits until it is ready. */
  async start(changes: Readonly<Record<string, string | undefined>> = {}): Promise<RunningChild> {
    const child = await this.launch(changes);
    while ((await probe(`${this.managementUrl}/ready`)).status !== 200) {
      if (child.exit) throw new Error(`the signing proxy ended: ${this.output.tail(5).join('\n')}`);
      await sleep(20);
    }
    return child;
  }

  /** A client with the kernel's certificate, closed with the process. */
  async client(options: { timeoutMs?: number } = {}): Promise<SigningProxyClient> {
    const client = new SigningProxyClient({
      url: this.url,
      ca: await readFile(this.identities.caCert),
      cert: await readFile(this.identities.kernelClient.cert),
      key: await readFile(this.identities.kernelClient.key),
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  /** The kernel's certificate for this proxy, as files. */
  clientFiles(): { ca: string; cert: string; key: string } {
    return { ca: this.identities.caCert, ...this.identities.kernelClient };
  }

  /** Output of the process so far, including that of earlier processes in this folder. */
  log(): Promise<string> {
    return readFile(this.output.file, 'utf8');
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await this.child?.stop(10_000);
    this.output.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}
