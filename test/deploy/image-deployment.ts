import { randomBytes } from 'node:crypto';
import { chmod, chown, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  type CertificateFiles,
  type DevelopmentIdentities,
  freePort,
  guardFolder,
  openDevelopmentIdentities,
  type PostgresServer,
  probe,
  releaseFolder,
  softHsmModule,
} from '#dev/devstack';
import { MtlsClient, startTestPostgres } from '#dev/testing';
import { type ProvisionedToken, provisionSoftHsm } from '#platform/signer';
import { until } from '../faults/until';
import { Container, IMAGE_USER, runOnce, type RunOnce } from './containers';
import { type Ports, type Settings, settingsOf, SIGNING_KEYS } from './image-settings';

const DATABASE = 'kernel_image';
/** Starting a process on a machine that does other things as well. */
const START_MS = 60_000;

/** What each process of the image is given where it is deployed: files under /etc/kernel, and its settings. */
export class ImageDeployment {
  private readonly running = new Map<string, Container>();
  private readonly run = randomBytes(4).toString('hex');
  private readonly client_: MtlsClient;

  private constructor(
    private readonly image: string,
    readonly dir: string,
    private readonly postgres: PostgresServer,
    private readonly identities: DevelopmentIdentities,
    readonly token: ProvisionedToken,
    readonly ports: Ports,
    /** None of them may be in what anything prints. */
    readonly passwords: Readonly<Record<'owner' | 'runtime' | 'worker', string>>,
  ) {
    this.client_ = new MtlsClient(`https://127.0.0.1:${this.portsOf('kernel').serves}`, {
      ca: identities.caCert,
      identity: identities.callers.OPERATOR,
    });
  }

  /** A PostgreSQL without the database, a token, certificates and secrets, as files that the image's user reads. */
  static async prepare(image: string): Promise<ImageDeployment> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-image-'));
    guardFolder(dir);
    await chmod(dir, 0o755);
    const postgres = await startTestPostgres();
    const identities = await openDevelopmentIdentities(join(dir, 'identities'));
    const token = await provisionSoftHsm({
      dir: join(dir, 'token'),
      modulePath: softHsmModule(),
      keys: [...SIGNING_KEYS],
    });
    const names = [
      'kernel',
      'signing-proxy',
      'outbox-relay',
      'indexer',
      'archiver',
      'log-publisher',
      'auditor',
    ];
    const ports: Record<string, { serves: number; management: number }> = {};
    for (const name of names) ports[name] = { serves: await freePort(), management: await freePort() };
    const password = () => randomBytes(18).toString('base64url');
    const passwords = { owner: password(), runtime: password(), worker: password() };
    const made = new ImageDeployment(image, dir, postgres, identities, token, ports, passwords);
    await made.writeFiles();
    return made;
  }

  /** Of an Operator. */
  get client(): MtlsClient {
    return this.client_;
  }

  /** Runs a process to its end, with its settings and these on top; an empty one is left out. */
  async once(name: string, args: readonly string[] = [], changes: Settings = {}): Promise<RunOnce> {
    const env = { ...settingsOf(name, this), ...changes };
    return await runOnce({ ...this.options(name, args), name: this.nameOf(`${name}-once`), env });
  }

  /** Starts a process and waits until it says that it is ready. */
  async start(name: string): Promise<Container> {
    const container = await Container.start(this.options(name, []));
    this.running.set(name, container);
    await until(
      `${name} is ready`,
      async () => {
        if (container.hasEnded) throw new Error(`${name} ended: ${container.said()}`);
        return (await this.ready(name)) === 200;
      },
      START_MS,
    );
    return container;
  }

  /** Status of /ready; 0 when nobody answers. */
  async ready(name: string): Promise<number> {
    return (await probe(`http://127.0.0.1:${this.portsOf(name).management}/ready`)).status;
  }

  /** Paths of all objects in the archive. */
  async archived(): Promise<string[]> {
    const entries = await readdir(this.folder('state/archive'), { recursive: true });
    return entries.filter((path) => path.endsWith('.json'));
  }

  async stop(): Promise<void> {
    await this.client_.close();
    await Promise.all([...this.running.values()].map((container) => container.remove()));
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
    releaseFolder(this.dir);
  }

  private nameOf(name: string): string {
    return `kernel-image-${this.run}-${name}`;
  }

  private portsOf(name: string): { serves: number; management: number } {
    const ports = this.ports[name];
    if (ports === undefined) throw new Error(`${name} has no ports here`);
    return ports;
  }

  private folder(name: string): string {
    return join(this.dir, name);
  }

  private options(name: string, args: readonly string[]) {
    return {
      image: this.image,
      name: this.nameOf(name),
      args: [name, ...args],
      env: settingsOf(name, this),
      dir: this.folder('containers'),
      mounts: {
        '/etc/kernel/tls': this.folder(`tls/${name}`),
        '/etc/kernel/client': this.folder(`client/${name}`),
        '/etc/kernel/secrets': this.folder(`secrets/${name}`),
        '/var/lib/kernel': `${this.folder('state')}:rw`,
        ...(name === 'signing-proxy' && {
          // The vendor's module comes from the node; its configuration names the folder of the token.
          [dirname(this.token.modulePath)]: this.folder('module'),
          [this.folder('token')]: `${this.folder('token')}:rw`,
        }),
      },
    };
  }

  private async writeFiles(): Promise<void> {
    const { kernelServer, proxyServer, kernelClient, archiverClient, auditorClient, logPublisherClient } =
      this.identities;
    await this.certificate('tls/kernel', kernelServer);
    await this.certificate('tls/signing-proxy', proxyServer);
    const clients = {
      kernel: kernelClient,
      archiver: archiverClient,
      auditor: auditorClient,
      'log-publisher': logPublisherClient,
    };
    for (const [name, files] of Object.entries(clients)) await this.certificate(`client/${name}`, files);

    const { owner, runtime, worker } = this.passwords;
    const databaseUrl = (role: string, password: string): string => {
      const url = new URL(this.postgres.superuserUrl);
      Object.assign(url, { username: role, password, pathname: `/${DATABASE}` });
      return url.href;
    };
    await this.secrets('migrate', {
      DATABASE_OWNER_URL: databaseUrl('image_owner', owner),
      DATABASE_ADMIN_URL: this.postgres.superuserUrl,
      DATABASE_RUNTIME_PASSWORD: runtime,
      DATABASE_WORKER_PASSWORD: worker,
    });
    await this.secrets('kernel', {
      DATABASE_URL: databaseUrl('image_runtime', runtime),
      KERNEL_ROW_KEY: randomBytes(32).toString('base64'),
    });
    for (const name of ['outbox-relay', 'indexer', 'archiver', 'log-publisher', 'auditor']) {
      await this.secrets(name, { DATABASE_URL: databaseUrl('image_worker', worker) });
    }
    // Debian's is a link into another folder.
    await mkdir(this.folder('module'));
    await copyFile(this.token.modulePath, this.folder(`module/${basename(this.token.modulePath)}`));
    for (const name of ['archive', 'marks', 'witness']) {
      await mkdir(this.folder(`state/${name}`), { recursive: true, mode: 0o700 });
    }
    // Everything that is mounted is the image's user's, as fsGroup and a volume's own modes would have it.
    for (const name of ['tls', 'client', 'secrets', 'state', 'token', 'module'])
      await giveAway(this.folder(name));
  }

  private async certificate(name: string, { cert, key }: CertificateFiles): Promise<void> {
    await mkdir(this.folder(name), { recursive: true });
    await copyFile(cert, this.folder(`${name}/tls.crt`));
    await copyFile(key, this.folder(`${name}/tls.key`));
    await copyFile(this.identities.caCert, this.folder(`${name}/ca.crt`));
  }

  private async secrets(name: string, values: Settings): Promise<void> {
    await mkdir(this.folder(`secrets/${name}`), { recursive: true });
    for (const [file, value] of Object.entries(values)) {
      await writeFile(this.folder(`secrets/${name}/${file}`), `${value}\n`, { mode: 0o400 });
    }
  }
}

async function giveAway(folder: string): Promise<void> {
  await chown(folder, IMAGE_USER, IMAGE_USER);
  for (const entry of await readdir(folder, { recursive: true })) {
    await chown(join(folder, entry), IMAGE_USER, IMAGE_USER);
  }
}
