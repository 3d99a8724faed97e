import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ArchiveChoice,
  type ArchiveEnvironment,
  type CertificateFiles,
  type DevelopmentCaller,
  type DevelopmentIdentities,
  freePort,
  guardFolder,
  type KafkaServer,
  type KernelVariables,
  type PostgresServer,
  probe,
  releaseFolder,
  type S3Server,
  type SignerChoice,
  Stack,
  type StreamChoice,
  type StreamEnvironment,
  type SupervisedService,
  type WorkerName,
} from '#dev/devstack';
import { MtlsClient } from './mtls-client';
import { ensureBuilt } from './work-tree';

export interface TestStackOptions {
  /** Kernel processes on the one database; default 1. */
  kernels?: number;
  signer?: SignerChoice;
  /** Worker processes, one for each name; default none. The same name twice gives two of them. */
  workers?: readonly WorkerName[];
  /** Default `postgres`; with `kafka` a broker of its own is started (guard the suite with describeWithKafka). */
  stream?: StreamChoice;
  /** Default `fs`; with `s3` a server of its own is started (guard the suite with describeWithS3). */
  archive?: ArchiveChoice;
  shards?: number;
  /** Events in a partition of the event log; default as in production. */
  partitionEvents?: number;
  /** Processes that are killed come back by themselves; default false: the test says when. */
  restart?: boolean;
  /**
   * Variables of the kernel processes on top of the usual ones (docs/configuration.md); a function is given the URLs of
   * what is started before them, to put something in between.
   */
  kernelVariables?: KernelVariables;
  /** Variables of every process on top of the usual ones. */
  variables?: Readonly<Record<string, string>>;
  /**
   * Processes that the test starts itself (`stack.signingProxy.start()`, `stack.kernels[0].process.start()`). Without
   * all of them the stack is handed over as it is, ready or not.
   */
  idle?: readonly ('signing-proxy' | 'kernel' | WorkerName)[];
  /** Variables of the worker processes on top of the usual ones. `n` counts those of one app from 0. */
  workerVariables?: (app: WorkerName, n: number) => Readonly<Record<string, string>>;
  postgresSettings?: Readonly<Record<string, string>>;
  /** Have a listener for people, and the development identity provider; default false. */
  people?: boolean;
  /** Log level of the processes; default `warn`. */
  logLevel?: string;
}

export interface TestKernel {
  process: SupervisedService;
  apiUrl: string;
  managementUrl: string;
}

export interface TestWorker {
  app: WorkerName;
  process: SupervisedService;
  managementUrl: string;
  /** Where the log publisher serves the log. */
  listenUrl: string;
  environment: Readonly<Record<string, string>>;
}

/** The real processes of a kernel on random ports in a temp folder. */
export interface TestStack {
  readonly dir: string;
  readonly origin: string;
  readonly shards: number;
  readonly identities: DevelopmentIdentities;
  readonly postgres: PostgresServer;
  readonly signingProxy: SupervisedService;
  readonly signingProxyUrl: string;
  readonly signingProxyManagementUrl: string;
  readonly kernels: readonly TestKernel[];
  readonly workers: readonly TestWorker[];
  /** Where people sign in; with `people`. */
  readonly web:
    { origin: string; issuer: string; provider: SupervisedService; clientSecret: string } | undefined;
  /** Variables for the stream, and its broker when it is Kafka. */
  readonly stream: { environment: StreamEnvironment; server: KafkaServer | undefined };
  /** Variables for the archive (`archiveSettings` of libs/platform/archive), and its server when it is S3. */
  readonly archive: { environment: ArchiveEnvironment; server: S3Server | undefined };
  /** One of the workers: the first of that app, when not said. */
  worker(app: WorkerName, n?: number): TestWorker;
  /**
   * A client of a kernel's API (the first, when not said): one of the development callers, the files of another
   * certificate (`identities.ca.ensure` issues any), or none. Closed with the stack.
   */
  client(
    caller: DevelopmentCaller | CertificateFiles | null,
    options?: { kernel?: number; connections?: number },
  ): MtlsClient;
  /** GET of a management URL: /health, /ready, /metrics. */
  management(path: string, kernel?: number): Promise<{ status: number; text: string }>;
  /** What a process has written: `kernel`, `kernel-2`, `signing-proxy`, `postgres`, `outbox-relay`, ... */
  log(name: string): Promise<string>;
  /** Settles when every kernel and every worker is ready (after something was killed and started again). */
  whenReady(): Promise<void>;
  /** Stops every process and removes the folder. */
  stop(): Promise<void>;
}

function webOf({ identityProvider }: Stack): TestStack['web'] {
  if (identityProvider === undefined) return undefined;
  const { issuer, service, environment } = identityProvider;
  const { KERNEL_WEB_ORIGIN: origin = '', KERNEL_OIDC_CLIENT_SECRET: clientSecret = '' } = environment;
  return { origin, issuer, provider: service, clientSecret };
}

/**
 * Starts PostgreSQL, the signing proxy and one or more kernel processes from a build (made when the sources changed),
 * as `./kernel up` does: about four seconds. Kill and start again what is to fail:
 * `await stack.signingProxy.kill()`, `await stack.signingProxy.start()`.
 */
export async function startStack(options: TestStackOptions = {}): Promise<TestStack> {
  const programs = await ensureBuilt();
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-stack-'));
  // As root, PostgreSQL runs as another account, which has to get through; secrets below are 0600.
  await chmod(dir, 0o755);
  guardFolder(dir);
  const kernelPorts: { api: number; management: number }[] = [];
  for (let n = 0; n < (options.kernels ?? 1); n += 1) {
    kernelPorts.push({ api: await freePort(), management: await freePort() });
  }
  const signingProxyManagement = await freePort();
  let started: Stack | undefined;
  const clients: MtlsClient[] = [];
  try {
    started = await Stack.start({
      dir,
      programs,
      origin: 'kernel.test/stack',
      shards: options.shards ?? 1,
      partitionEvents: options.partitionEvents,
      signer: options.signer ?? 'software',
      stream: options.stream ?? 'postgres',
      archive: options.archive ?? 'fs',
      restart: options.restart ?? false,
      throwaway: true,
      ports: {
        kernels: kernelPorts,
        web: await freePort(),
        identityProvider: await freePort(),
        signingProxy: await freePort(),
        signingProxyManagement,
        postgres: await freePort(),
        workers: await Promise.all(
          (options.workers ?? []).map(async (app) => ({
            app,
            management: await freePort(),
            listen: await freePort(),
          })),
        ),
        kafka: await freePort(),
        s3: await freePort(),
        openBao: await freePort(),
      },
      people: options.people ?? false,
      postgresSettings: { shared_buffers: '128MB', ...options.postgresSettings },
      variables: options.variables ?? {},
      kernelVariables: (started, kernel) => ({
        KERNEL_LOG_LEVEL: options.logLevel ?? 'warn',
        ...(typeof options.kernelVariables === 'function'
          ? options.kernelVariables(started, kernel)
          : options.kernelVariables),
      }),
      workerVariables: (app, n) => ({
        KERNEL_LOG_LEVEL: options.logLevel ?? 'warn',
        ...options.workerVariables?.(app, n),
      }),
      idle: options.idle ?? [],
    });
    if (options.idle === undefined) await started.whenReady();
  } catch (error) {
    await started?.stop();
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
    throw error;
  }
  const stack = started;
  const workers = stack.workers.map(({ service, ...rest }) => ({ process: service, ...rest }));
  return {
    dir,
    origin: stack.options.origin,
    shards: stack.options.shards,
    identities: stack.identities,
    postgres: stack.postgres,
    signingProxy: stack.signingProxy,
    signingProxyUrl: stack.signingProxyUrl,
    signingProxyManagementUrl: `http://127.0.0.1:${signingProxyManagement}`,
    kernels: stack.kernels.map(({ service, ...urls }) => ({ process: service, ...urls })),
    workers,
    web: webOf(stack),
    stream: stack.stream,
    archive: stack.archive,
    worker(app, n = 0) {
      const worker = workers.filter((one) => one.app === app)[n];
      if (worker === undefined) throw new Error(`the stack has no ${app} number ${n}`);
      return worker;
    },
    client(caller, { kernel = 0, connections } = {}) {
      const identity = typeof caller === 'string' ? stack.identities.callers[caller] : (caller ?? undefined);
      const client = new MtlsClient(stack.kernels[kernel]?.apiUrl ?? '', {
        ca: stack.identities.caCert,
        identity,
        ...(connections === undefined ? {} : { connections }),
      });
      clients.push(client);
      return client;
    },
    management: (path, kernel = 0) => probe(`${stack.kernels[kernel]?.managementUrl}${path}`),
    log: (name) => readFile(join(dir, 'logs', `${name}.log`), 'utf8'),
    whenReady: () => stack.whenReady(),
    async stop() {
      await Promise.all(clients.map((client) => client.close()));
      await stack.stop();
      await rm(dir, { recursive: true, force: true });
      releaseFolder(dir);
    },
  };
}

/**
 * One stack for a test file or a `describe`: starts it before the tests and takes everything away after them. The
 * returned function gives it to the tests.
 */
export function withStack(options: TestStackOptions = {}): () => TestStack {
  let stack: TestStack | undefined;
  beforeAll(async () => {
    stack = await startStack(options);
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
  }, 60_000);
  return () => {
    if (stack === undefined) throw new Error('withStack: only usable inside tests and hooks');
    return stack;
  };
}
