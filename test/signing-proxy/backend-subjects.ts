import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SignerPurpose } from '#evidence';
import { softHsmModule } from '#dev/devstack';
import { createLogger } from '#platform/process';
import {
  AwsKmsBackend,
  type KeyInfo,
  type KeyRequest,
  Pkcs11Backend,
  ProxyBackend,
  provisionSoftHsm,
  SIGNING_PURPOSES,
  type SigningBackend,
  SoftwareBackend,
  VaultTransitBackend,
} from '#platform/signer';
import { FakeAwsKms, FakeTransit, FaultyWire, startTestOpenBao, TestCa } from '#dev/testing';
import { startSigningProxy } from '../../apps/signing-proxy/start-signing-proxy';

export const ORIGIN = 'kernel.example.com/backends';
export const AUDIT = 'backend-audit-v1';
export const MANIFEST = 'backend-manifest-v1';
export const CHECKPOINT = 'backend-checkpoint-v1';

const PURPOSES: Record<string, SignerPurpose> = {
  [AUDIT]: 'audit',
  [MANIFEST]: 'manifest',
  [CHECKPOINT]: 'checkpoint',
};
export const KEYS: KeyRequest[] = Object.entries(PURPOSES).map(([kid, purpose]) => ({
  kid,
  purposes: [purpose],
}));

/** Time for one request: no busy machine takes longer, and the proxy's deadline ends what hangs. */
const PATIENT_MS = 20_000;

/** Delay in each direction: there and back it is more than the proxy's deadline. */
const SLOW_MS = 1_000;

/** A failure of a backend, and its repair. */
export interface Trouble {
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

/** A backend under test with everything that it needs. */
export interface BackendSubject {
  readonly name: SigningBackend['name'];
  readonly protection: KeyInfo['protection'];
  /** Opens it; the keys are the same each time. */
  open(): Promise<SigningBackend>;
  /** The failures that can be caused, by the names of the tests. */
  readonly troubles: Record<string, (backend: SigningBackend) => Trouble>;
  stop(): Promise<void>;
}

export const SUBJECTS = [
  'software',
  'pkcs11',
  'aws-kms',
  'vault-transit',
  'vault-transit (OpenBao)',
  'proxy',
] as const;

export type SubjectName = (typeof SUBJECTS)[number];

export async function startSubject(name: SubjectName): Promise<BackendSubject> {
  const dir = await mkdtemp(join(tmpdir(), 'backend-'));
  const removeDir = (): Promise<void> => rm(dir, { recursive: true, force: true });
  switch (name) {
    case 'software':
      return { name, protection: 'software', open: () => openSoftware(dir), troubles: {}, stop: removeDir };
    case 'pkcs11':
      return startPkcs11(dir, removeDir);
    case 'aws-kms':
      return startAwsKms(removeDir);
    case 'vault-transit':
      return startVaultTransit(dir, removeDir);
    case 'vault-transit (OpenBao)':
      return startOpenBaoTransit(removeDir);
    case 'proxy':
      return startProxy(dir, removeDir);
  }
}

function openSoftware(dir: string): Promise<SoftwareBackend> {
  return SoftwareBackend.open({ dir: join(dir, 'keys'), keys: KEYS, production: false });
}

async function startPkcs11(dir: string, removeDir: () => Promise<void>): Promise<BackendSubject> {
  const token = await provisionSoftHsm({
    dir: join(dir, 'token'),
    modulePath: softHsmModule(),
    keys: Object.entries(PURPOSES).map(([kid, purpose]) => ({ kid, purpose })),
  });
  const pids = (backend: SigningBackend): number[] => (backend as Pkcs11Backend).processIds();
  const signal = (backend: SigningBackend, name: NodeJS.Signals): void => {
    for (const pid of pids(backend)) process.kill(pid, name);
  };
  return {
    name: 'pkcs11',
    protection: 'softhsm',
    open: () => Pkcs11Backend.open(token),
    troubles: {
      'is killed': (backend) => {
        let killing = true;
        let over = Promise.resolve();
        return {
          // Its processes are started again at once, so they are kept dead, like those of a token that was pulled out.
          begin: () => {
            over = (async () => {
              while (killing) {
                signal(backend, 'SIGKILL');
                await sleep(5);
              }
            })();
          },
          end: async () => {
            killing = false;
            await over;
          },
        };
      },
      hangs: (backend) => {
        let stopping = true;
        let over = Promise.resolve();
        return {
          begin: () => {
            over = (async () => {
              while (stopping) {
                signal(backend, 'SIGSTOP');
                await sleep(5);
              }
            })();
          },
          // A stopped process is abandoned and replaced.
          end: async () => {
            stopping = false;
            await over;
          },
        };
      },
    },
    stop: removeDir,
  };
}

async function startAwsKms(removeDir: () => Promise<void>): Promise<BackendSubject> {
  const kms = await new FakeAwsKms().start();
  for (const { kid } of KEYS) kms.addKey(kid);
  const always = (fault: FakeAwsKms['always']) => (): Trouble => ({
    begin: () => void (kms.always = fault),
    end: () => void (kms.always = undefined),
  });
  return {
    name: 'aws-kms',
    protection: 'kms',
    open: () => AwsKmsBackend.open({ keys: KEYS, ...kms.access, requestTimeoutMs: PATIENT_MS }),
    troubles: {
      'is killed': () => ({ begin: () => kms.stop(), end: () => void kms.start() }),
      hangs: always('silence'),
      'is slow': () => ({ begin: () => void (kms.latencyMs = 2_000), end: () => void (kms.latencyMs = 0) }),
      throttles: always({ error: 'ThrottlingException', message: 'You have exceeded the rate.' }),
      'fails in the middle of a batch': () => {
        // Every third call fails permanently: no number of attempts gets a whole batch signed.
        let n = 0;
        const real = Object.getOwnPropertyDescriptor(kms, 'always');
        return {
          begin: () => {
            Object.defineProperty(kms, 'always', {
              configurable: true,
              get: () =>
                n++ % 3 === 2 ? { error: 'DisabledException', message: 'As the test has it.' } : undefined,
            });
          },
          end: () => void Object.defineProperty(kms, 'always', real ?? { value: undefined, writable: true }),
        };
      },
      'has its key disabled': () => ({
        begin: () => kms.keys.forEach((key) => (key.state = 'Disabled')),
        end: () => kms.keys.forEach((key) => (key.state = 'Enabled')),
      }),
      'has its key awaiting deletion': () => ({
        begin: () => kms.keys.forEach((key) => (key.state = 'PendingDeletion')),
        end: () => kms.keys.forEach((key) => (key.state = 'Enabled')),
      }),
    },
    stop: async () => {
      await kms.stop();
      await removeDir();
    },
  };
}

async function startVaultTransit(dir: string, removeDir: () => Promise<void>): Promise<BackendSubject> {
  const vault = await (await FakeTransit.create()).start();
  for (const { kid } of KEYS) vault.addKey(kid);
  const jwtFile = join(dir, 'service-account-token');
  await writeFile(jwtFile, `${vault.jwt}\n`, { mode: 0o600 });
  const always = (fault: FakeTransit['always']) => (): Trouble => ({
    begin: () => void (vault.always = fault),
    end: () => void (vault.always = undefined),
  });
  return {
    name: 'vault-transit',
    protection: 'kms',
    open: () =>
      VaultTransitBackend.open({
        address: vault.address,
        ca: vault.caCert,
        auth: { method: 'kubernetes', role: vault.role, jwtFile },
        keys: KEYS,
        requestTimeoutMs: PATIENT_MS,
      }),
    troubles: {
      'is killed': () => ({ begin: () => vault.stop(), end: () => void vault.start() }),
      hangs: always('silence'),
      'is slow': () => ({
        begin: () => void (vault.latencyMs = 2_000),
        end: () => void (vault.latencyMs = 0),
      }),
      throttles: always({
        status: 429,
        errors: ['request path "transit/sign": rate limit quota exceeded'],
        retryAfter: 1,
      }),
      'is sealed': () => ({
        begin: () => void (vault.sealed = true),
        end: () => void (vault.sealed = false),
      }),
      'fails in the middle of a batch': always({ items: [0], error: 'internal error' }),
      'takes its policy away': always({ status: 403, errors: ['permission denied'] }),
    },
    stop: async () => {
      await vault.stop();
      await removeDir();
    },
  };
}

/** The same backend at a real server, which fails as real servers do. */
async function startOpenBaoTransit(removeDir: () => Promise<void>): Promise<BackendSubject> {
  const kids = KEYS.map(({ kid }) => kid);
  const bao = await startTestOpenBao({ kids, makes: ['backend-'] });
  const { server, transit } = bao;
  const wire = await FaultyWire.open();
  const address = wire.through(bao.connection.address);
  const signal = (name: NodeJS.Signals): void => {
    if (server.pid === undefined) throw new Error('OpenBao does not run');
    process.kill(server.pid, name);
  };
  const leastVersion = (version: number) => async (): Promise<void> => {
    for (const kid of kids) {
      await server.ask('POST', `transit/keys/${kid}/config`, { min_encryption_version: version });
    }
  };
  const quota = 'sys/quotas/rate-limit/kernel-signing';
  return {
    name: 'vault-transit',
    protection: 'kms',
    open: () =>
      VaultTransitBackend.open({
        ...bao.connection,
        address,
        auth: { method: 'cert', role: transit.role },
        // Set explicitly, since a trouble below gives each key another version.
        keys: KEYS.map((key) => ({ ...key, keyVersion: 1 })),
        requestTimeoutMs: PATIENT_MS,
      }),
    troubles: {
      'is killed': () => ({ begin: () => server.kill(), end: () => server.start() }),
      hangs: () => ({ begin: () => signal('SIGSTOP'), end: () => signal('SIGCONT') }),
      'is slow': () => ({ begin: () => wire.slowDown(SLOW_MS), end: () => wire.slowDown(0) }),
      throttles: () => ({
        begin: async () => void (await server.ask('POST', quota, { path: 'transit/', rate: 0.001 })),
        end: async () => void (await server.ask('DELETE', quota)),
      }),
      'is sealed': () => ({ begin: () => server.seal(), end: () => server.unseal() }),
      'takes its policy away': () => ({ begin: () => bao.allow([]), end: () => bao.allow(kids) }),
      'lets only a newer version sign': () => ({
        begin: async () => {
          for (const kid of kids) await server.ask('POST', `transit/keys/${kid}/rotate`, {});
          await leastVersion(2)();
        },
        end: leastVersion(0),
      }),
    },
    stop: async () => {
      await wire.close();
      await bao.stop();
      await removeDir();
    },
  };
}

/** Another signing proxy with keys in files, behind the one under test. */
async function startProxy(dir: string, removeDir: () => Promise<void>): Promise<BackendSubject> {
  const ca = await TestCa.create();
  const server = await ca.issueServer();
  const client = await ca.issueClient('signing-proxy');
  const start = async (port: number) =>
    startSigningProxy({
      origin: ORIGIN,
      shards: 1,
      clients: [{ cn: 'signing-proxy', purposes: [...SIGNING_PURPOSES] }],
      backends: [await openSoftware(dir)],
      logger: createLogger({ app: 'behind', level: 'silent' }),
      host: '127.0.0.1',
      port,
      tls: { cert: server.cert, key: server.key, ca: ca.cert },
      management: { host: '127.0.0.1', port: 0 },
      guard: { timeoutMs: 30_000 },
    });
  let proxy = await start(0);
  let running = true;
  const { port } = proxy;
  const kill = async (): Promise<void> => {
    if (!running) return;
    running = false;
    proxy.server.closeAllConnections();
    await proxy.close();
  };
  return {
    name: 'proxy',
    protection: 'software',
    open: () =>
      ProxyBackend.open({
        url: `https://localhost:${port}`,
        ca: ca.cert,
        cert: client.cert,
        key: client.key,
        origin: ORIGIN,
        keys: KEYS,
      }),
    troubles: {
      'is killed': () => ({
        begin: kill,
        end: async () => {
          proxy = await start(port);
          running = true;
        },
      }),
    },
    stop: async () => {
      await kill();
      await removeDir();
    },
  };
}
