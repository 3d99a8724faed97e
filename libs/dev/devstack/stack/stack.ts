import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { migrate } from '#platform/event-store';
import { kernelEnvironment, signingProxyEnvironment } from './app-environment';
import { openRowKey } from './row-key-file';
import { type ArchiveChoice, type ForeignBucket, type StackArchive, startArchive } from './stack-archive';
import { type StackPorts } from './stack-ports';
import { type SignerChoice, type StackSigner, startSigner } from './stack-signer';
import { type StackStream, startStream, type StreamChoice } from './stack-stream';
import { type WorkerName, workerEnvironment } from './worker-apps';
import {
  type DevelopmentIdentities,
  openDevelopmentIdentities,
} from '../certificates/development-identities';
import { type BackupBucket } from '../backup/wal-commands';
import { compileCache } from '../build/running-build';
import {
  type StackIdentityProvider,
  startIdentityProvider,
} from '../identity-provider/identity-provider-service';
import { DevstackError } from '../devstack.error';
import { type PostgresServer, startPostgres } from '../postgres/postgres-server';
import { BoundedLog } from '../process/bounded-log';
import { startChild } from '../process/child-process';
import { makeFolder } from '../process/folder';
import { SupervisedService } from '../process/supervised-service';

/** Start of a Nest process on a machine that is busy with other things. */
const START_TIMEOUT_MS = 60_000;
/** An app drains its queue and answers what it has accepted before it ends. */
const STOP_GRACE_MS = 15_000;

export interface StackOptions {
  /** Folder for everything the stack keeps: identities, database, keys, logs. */
  dir: string;
  /** The folder of the build that the processes are started from, and started again from. */
  programs: string;
  origin: string;
  shards: number;
  /** Events in a partition of the event log; default as in production. */
  partitionEvents?: number | undefined;
  signer: SignerChoice;
  stream: StreamChoice;
  archive: ArchiveChoice;
  /** `ports.kernels` and `ports.workers` say how many of each there are. */
  ports: StackPorts;
  /** With stream `kafka`: existing brokers, instead of one that is started here. */
  brokers?: readonly string[] | undefined;
  /** With archive `s3`: an existing bucket, instead of one on a server that is started here. */
  bucket?: ForeignBucket | undefined;
  /** A bucket to which PostgreSQL archives its log. */
  backup?: BackupBucket | undefined;
  /** Start processes again when they die; default true. */
  restart?: boolean;
  /** Settings of PostgreSQL on top of the built-in ones. */
  postgresSettings?: Readonly<Record<string, string>>;
  /** The database is thrown away afterwards: skip the flush of a new cluster's files. */
  throwaway?: boolean;
  /** Variables of every process on top of the built-in ones. */
  variables?: Readonly<Record<string, string>>;
  /** Variables of the kernel processes on top of the built-in ones; as a function, of what was started before them. */
  kernelVariables?: KernelVariables;
  /** Have a listener for people, and an identity provider for them; default true. */
  people?: boolean;
  /** Processes that are not started: the caller starts them. */
  idle?: readonly ('signing-proxy' | 'kernel' | WorkerName)[];
  /** Variables of the worker processes on top of the built-in ones. */
  workerVariables?: (app: WorkerName, n: number) => Readonly<Record<string, string>>;
  /**
   * There is a chain already, in the archive: an empty database is marked as being restored, for this reason, and the
   * kernel stays in safe-mode until it has been filled.
   */
  restore?: string;
  /** Gives up starting: what runs is stopped and `start` rejects. */
  signal?: AbortSignal;
  /** Called with what happens to the processes. */
  onChange?: (service: SupervisedService, note: string) => void;
  /** Called with what is being done, for a person who waits. */
  say?: (line: string) => void;
}

export type KernelVariables =
  | Readonly<Record<string, string>>
  | ((
      started: { databaseUrl: string; signingProxyUrl: string },
      /** Counts the kernel processes from 0. */
      kernel: number,
    ) => Readonly<Record<string, string>>);

export interface KernelInstance {
  service: SupervisedService;
  apiUrl: string;
  managementUrl: string;
}

export interface WorkerInstance {
  app: WorkerName;
  service: SupervisedService;
  managementUrl: string;
  /** Where it serves something to others, where it does. */
  listenUrl: string;
  /** The whole environment that it was given. */
  environment: Readonly<Record<string, string>>;
}

/** The processes of a kernel on one machine: PostgreSQL, signing proxy, one or more kernels, the workers. */
export class Stack {
  private constructor(
    readonly options: StackOptions,
    readonly identities: DevelopmentIdentities,
    readonly postgres: PostgresServer,
    readonly signingProxy: SupervisedService,
    readonly signingProxyUrl: string,
    readonly kernels: readonly KernelInstance[],
    readonly workers: readonly WorkerInstance[],
    readonly stream: StackStream,
    readonly archive: StackArchive,
    readonly signer: StackSigner,
    readonly identityProvider: StackIdentityProvider | undefined,
  ) {}

  /** Starts everything that shall not stay idle, in order; when one thing fails, nothing is left running. */
  static async start(options: StackOptions): Promise<Stack> {
    const say = options.say ?? (() => undefined);
    const { ports } = options;
    await makeFolder(join(options.dir, 'logs'), 0o700);
    say('preparing keys and certificates');
    const identities = await openDevelopmentIdentities(join(options.dir, 'identities'));
    const rowKeyFile = await openRowKey(join(options.dir, 'row.key'));
    say('starting PostgreSQL');
    const postgres = await startPostgres({
      dir: join(options.dir, 'postgres'),
      port: ports.postgres,
      logFile: join(options.dir, 'logs', 'postgres.log'),
      throwaway: options.throwaway === true,
      restart: options.restart !== false,
      say,
      signal: options.signal,
      backup: options.backup,
      ...(options.postgresSettings === undefined ? {} : { settings: options.postgresSettings }),
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    });
    const servers = {
      dir: options.dir,
      restart: options.restart !== false,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    };
    let signer: StackSigner | undefined;
    let stream: StackStream | undefined;
    let archive: StackArchive | undefined;
    let identityProvider: StackIdentityProvider | undefined;
    try {
      if (options.signer === 'vault-transit') say('starting OpenBao');
      signer = await startSigner({
        ...servers,
        signer: options.signer,
        port: ports.openBao,
        ca: identities.ca,
        throwaway: options.throwaway === true,
      });
      if (options.stream === 'kafka' && options.brokers === undefined) say('starting Kafka');
      const { brokers, bucket } = options;
      stream = await startStream({ ...servers, stream: options.stream, port: ports.kafka, brokers });
      if (options.archive === 's3' && bucket === undefined) say('starting the S3 server');
      archive = await startArchive({ ...servers, archive: options.archive, port: ports.s3, bucket });
      if (options.people !== false) {
        identityProvider = await startIdentityProvider({
          ...servers,
          programs: options.programs,
          port: ports.identityProvider,
          web: ports.web,
        });
      }
    } catch (error) {
      await Promise.all([signer?.server?.stop(), stream?.server?.stop(), archive?.server?.stop()]);
      await postgres.stop();
      throw error;
    }
    const signingProxyUrl = `https://127.0.0.1:${ports.signingProxy}`;
    const signingProxy = appService(options, {
      name: 'signing-proxy',
      app: 'signing-proxy',
      management: ports.signingProxyManagement,
      env: signingProxyEnvironment({
        origin: options.origin,
        shards: options.shards,
        folder: options.dir,
        port: ports.signingProxy,
        management: ports.signingProxyManagement,
        identities,
        marksDir: join(options.dir, 'signing-marks'),
        signer: signer.environment,
      }),
    });
    const kernels = ports.kernels.map(({ api, management }, n): KernelInstance => {
      const databaseUrl = postgres.runtimeUrl;
      const env = kernelEnvironment({
        origin: options.origin,
        shards: options.shards,
        folder: options.dir,
        databaseUrl,
        api,
        management,
        web: ports.web,
        // One kernel alone can listen on the port that is the origin.
        people: n === 0 ? (identityProvider?.environment ?? {}) : {},
        issuer: identityProvider?.issuer,
        signingProxyUrl,
        archive: archive.environment,
        identities,
        rowKeyFile,
        openApiPath: join(options.programs, 'openapi', 'kernel.json'),
      });
      const { kernelVariables } = options;
      const added =
        typeof kernelVariables === 'function'
          ? kernelVariables({ databaseUrl, signingProxyUrl }, n)
          : kernelVariables;
      return {
        service: appService(options, {
          name: n === 0 ? 'kernel' : `kernel-${n + 1}`,
          app: 'kernel',
          management,
          env: { ...env, ...added },
        }),
        apiUrl: `https://127.0.0.1:${api}`,
        managementUrl: `http://127.0.0.1:${management}`,
      };
    });
    const workers = ports.workers.map(({ app, management, listen = 0 }, at): WorkerInstance => {
      const n = ports.workers.slice(0, at).filter((other) => other.app === app).length;
      const built = workerEnvironment(app, {
        origin: options.origin,
        shards: options.shards,
        folder: options.dir,
        databaseUrl: postgres.workerUrl,
        management,
        listen,
        signingProxyUrl,
        identities,
        stream: stream.environment,
        archive: archive.environment,
      });
      const env = { ...built, ...options.workerVariables?.(app, n) };
      return {
        app,
        service: appService(options, {
          name: n === 0 ? app : `${app}-${n + 1}`,
          app,
          management,
          env,
        }),
        managementUrl: `http://127.0.0.1:${management}`,
        listenUrl: `http://127.0.0.1:${listen}`,
        environment: env,
      };
    });
    const stack = new Stack(
      options,
      identities,
      postgres,
      signingProxy,
      signingProxyUrl,
      kernels,
      workers,
      stream,
      archive,
      signer,
      identityProvider,
    );
    const giveUp = () => void stack.stop();
    options.signal?.addEventListener('abort', giveUp);
    try {
      options.signal?.throwIfAborted();
      say('migrating the database');
      await migrate(postgres.ownerUrl, {
        origin: options.origin,
        shards: options.shards,
        runtimeRole: postgres.runtimeRole,
        workerRole: postgres.workerRole,
        ...(options.partitionEvents === undefined ? {} : { partitionEvents: options.partitionEvents }),
        ...(options.restore === undefined ? {} : { restore: options.restore }),
      });
      options.signal?.throwIfAborted();
      if (options.idle?.includes('signing-proxy') !== true) {
        say('starting the signing proxy');
        await signingProxy.start();
        options.signal?.throwIfAborted();
      }
      const starting = workers.filter(({ app }) => options.idle?.includes(app) !== true);
      if (options.idle?.includes('kernel') !== true) {
        say(starting.length > 0 ? 'starting the kernel and its workers' : 'starting the kernel');
        starting.push(...(kernels as (KernelInstance & WorkerInstance)[]));
      }
      await allStarted(starting.map(({ service }) => service));
      options.signal?.throwIfAborted();
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', giveUp);
    }
  }

  /** Settles when every kernel and every worker says on /ready that it can work. */
  async whenReady(signal?: AbortSignal, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (const { managementUrl, service } of [...this.kernels, ...this.workers]) {
      for (;;) {
        const answer = await probe(`${managementUrl}/ready`);
        if (answer.status === 200) break;
        signal?.throwIfAborted();
        if (Date.now() > deadline) {
          throw new DevstackError(
            'process_failed',
            `${service.name} is not ready after ${timeoutMs / 1000} s: ${readinessProblem(answer)} (log: ${logFile(this.options, service.name)}).`,
            { url: `${managementUrl}/ready`, answer: answer.text },
          );
        }
        await delay(50);
      }
    }
  }

  /** Whether the store is being rebuilt from the archive: the kernel is not ready before that is done. */
  async isRestoring(): Promise<boolean> {
    const client = new Client({ connectionString: this.postgres.runtimeUrl });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<{ restoring: boolean }>('SELECT restoring FROM kernel.mode');
      return rows[0]?.restoring === true;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Stops callers first, what they call last; each gets its grace. */
  async stop(): Promise<void> {
    await Promise.all(this.kernels.map(({ service }) => service.stop()));
    await Promise.all(this.workers.map(({ service }) => service.stop()));
    await this.signingProxy.stop();
    await this.identityProvider?.service.stop();
    await Promise.all([this.signer.server?.stop(), this.stream.server?.stop(), this.archive.server?.stop()]);
    await this.postgres.stop();
  }
}

/** Waits for all, also for those that start while another fails: nothing may start after the stack was stopped. */
async function allStarted(services: readonly SupervisedService[]): Promise<void> {
  const results = await Promise.allSettled(services.map((service) => service.start()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** On node's own command line (ADR 7): V8 takes no change once it runs, and NODE_OPTIONS takes no such flag. */
const NODE_FLAGS: Readonly<Record<string, readonly string[]>> = {
  kernel: ['--heap-growing-percent=300'],
  'signing-proxy': ['--heap-growing-percent=300'],
};

interface AppProcess {
  /** Name of the service and its log. */
  name: string;
  /** Its folder below apps/. */
  app: string;
  management: number;
  env: Readonly<Record<string, string>>;
}

function logFile(options: StackOptions, name: string): string {
  return join(options.dir, 'logs', `${name}.log`);
}

function appService(options: StackOptions, app: AppProcess): SupervisedService {
  const log = new BoundedLog(logFile(options, app.name));
  const entry = join(options.programs, 'apps', app.app, 'main.js');
  const sourceMaps = join(options.programs, 'libs', 'dev', 'devstack', 'process', 'source-maps.js');
  return new SupervisedService({
    name: app.name,
    stopGraceMs: STOP_GRACE_MS,
    restart: options.restart !== false,
    ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    async start(signal) {
      const child = await startChild({
        command: process.execPath,
        args: [...(NODE_FLAGS[app.app] ?? []), '--require', sourceMaps, entry],
        env: { ...app.env, ...options.variables, ...compileCache() },
        cwd: options.programs,
        log,
      });
      const ended = () =>
        new DevstackError(
          'process_failed',
          `${app.name} ended at its start (${child.exit?.signal ?? `exit code ${child.exit?.code}`}): ${log.tail(8).join('\n')} (log: ${log.file}).`,
          { name: app.name, log: log.file },
        );
      const deadline = Date.now() + START_TIMEOUT_MS;
      try {
        while ((await probe(`http://127.0.0.1:${app.management}/health`)).status !== 200) {
          if (child.exit !== undefined) throw ended();
          if (Date.now() > deadline) {
            throw new DevstackError(
              'process_failed',
              `${app.name} did not answer within ${START_TIMEOUT_MS / 1000} s (log: ${log.file}).`,
              { name: app.name, log: log.file },
            );
          }
          signal.throwIfAborted();
          await delay(40);
        }
        // Another process may have answered on a port that ours found taken.
        if (child.exit !== undefined) throw ended();
        return child;
      } catch (error) {
        await child.stop(STOP_GRACE_MS);
        throw error;
      }
    },
  });
}

/** GET of a management URL; status 0 with the reason when nothing answers. */
export async function probe(url: string, timeoutMs = 2_000): Promise<{ status: number; text: string }> {
  return await new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      response.on('error', (error) => resolve({ status: 0, text: error.message }));
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => resolve({ status: 0, text: error.message }));
  });
}

/** Why a /ready answer is not green: the failing checks in their own words. */
export function readinessProblem(answer: { status: number; text: string }): string {
  if (answer.status === 0) return `it does not answer (${answer.text})`;
  try {
    const { error } = JSON.parse(answer.text) as { error?: Record<string, { message?: string }> };
    const failing = Object.entries(error ?? {}).map(([name, { message }]) => `${name}: ${message ?? 'down'}`);
    return failing.length > 0 ? failing.join('; ') : `HTTP ${answer.status}`;
  } catch {
    return `HTTP ${answer.status}`;
  }
}
