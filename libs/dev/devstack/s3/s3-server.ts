import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { s3ServerMissing, s3ServerProgram } from './s3-program';
import { writePrivate } from '../certificates/private-file';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';
import { makeFolder } from '../process/folder';
import { freePort, startOnFreePort } from '../process/free-port';
import { SupervisedService } from '../process/supervised-service';
import { readSecrets } from '../stack/secrets-file';

const HOST = '127.0.0.1';
const REGION = 'us-east-1';
const HEALTH_PATH = '/health';
const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5_000;

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3ServerOptions {
  /** Folder for data, versions, accounts and log; made when it does not exist, taken up again when it does. */
  dir: string;
  /** TCP port on 127.0.0.1; a free one when left out. */
  port?: number;
  /** Where the server's own log goes; default `<dir>/s3.log`. */
  logFile?: string;
  /** Start it again when it dies; default true. */
  restart?: boolean;
  /** Called with what happens to the process. */
  onChange?: (service: SupervisedService, note: string) => void;
}

export interface S3Server {
  /** http://127.0.0.1:<port>; buckets are addressed by path. */
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  /** The folder in which each bucket is a folder and each object a file, for tests that play the attacker. */
  readonly dataDir: string;
  /** May do everything, lifting a GOVERNANCE retention included; COMPLIANCE binds this account too. */
  readonly root: S3Credentials;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** A new account that has no rights but on the buckets it is given, and there cannot lift a retention. */
  addUser(): Promise<S3Credentials>;
  /** The same account with another secret; the one before is good no longer. */
  changeSecret(user: S3Credentials): Promise<S3Credentials>;
  /** A bucket of that account. With object lock it also keeps versions, permanently. */
  createBucket(name: string, options: { owner: S3Credentials; objectLock: boolean }): Promise<void>;
  /** Kills it outright and waits until it is gone. It comes back by itself unless `restart` is off. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Settles when it answers. */
  whenReady(timeoutMs?: number): Promise<void>;
  /** Starts it after `stop`, or after `kill` with `restart` off. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a real S3 server on the loopback address: versitygw over a folder, whose file system has to keep extended
 * attributes. It does not flush to disk: for development and tests only.
 * @throws DevstackError `tool_missing` where versitygw is not installed
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const missing = s3ServerMissing();
  if (missing !== null) throw new DevstackError('tool_missing', `There is no S3 server here: ${missing}.`);
  const program = s3ServerProgram();
  const folder = {
    data: join(options.dir, 'data'),
    versions: join(options.dir, 'versions'),
    accounts: join(options.dir, 'accounts'),
  };
  await makeFolder(options.dir, 0o700);
  for (const dir of Object.values(folder)) await makeFolder(dir, 0o700);
  const root = await rootCredentials(join(options.dir, 'root-credentials.json'));
  const log = new BoundedLog(options.logFile ?? join(options.dir, 's3.log'));

  return startOnFreePort(
    async () => {
      const port = options.port ?? (await freePort());
      const endpoint = `http://${HOST}:${port}`;
      const service = new SupervisedService({
        name: 's3',
        stopGraceMs: STOP_GRACE_MS,
        restart: options.restart !== false,
        ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
        start: (signal) => startProgram({ program, folder, root, port, endpoint, log, signal }),
      });
      await service.start();
      return serverOf({ service, program, root, endpoint, port, dataDir: folder.data });
    },
    { fixed: options.port !== undefined },
  );
}

interface Running {
  service: SupervisedService;
  program: string;
  root: S3Credentials;
  endpoint: string;
  port: number;
  dataDir: string;
}

function serverOf({ service, program, root, endpoint, port, dataDir }: Running): S3Server {
  const admin = async (...args: string[]): Promise<void> => {
    try {
      await promisify(execFile)(program, ['admin', ...args], {
        env: {
          ADMIN_ACCESS_KEY_ID: root.accessKeyId,
          ADMIN_SECRET_ACCESS_KEY: root.secretAccessKey,
          ADMIN_ENDPOINT_URL: endpoint,
          ADMIN_REGION: REGION,
        },
      });
    } catch (error) {
      // Not the error itself: it names the whole command, in which a secret may be.
      const { stderr = '' } = error as { stderr?: string };
      throw new DevstackError(
        'process_failed',
        `The S3 server refused ${args[0]}: ${stderr.trim().split('\n').at(-1) ?? 'no message'}`,
      );
    }
  };
  return {
    endpoint,
    port,
    region: REGION,
    dataDir,
    root,
    get pid() {
      return service.current?.pid;
    },
    get restarts() {
      return service.restarts;
    },
    async addUser() {
      const user = newCredentials();
      await admin(
        'create-user',
        ...['--access', user.accessKeyId, '--secret', user.secretAccessKey, '--role', 'user'],
      );
      return user;
    },
    async changeSecret({ accessKeyId }) {
      const { secretAccessKey } = newCredentials();
      await admin('update-user', ...['--access', accessKeyId, '--secret', secretAccessKey]);
      return { accessKeyId, secretAccessKey };
    },
    async createBucket(name, { owner, objectLock }) {
      const lock = objectLock ? ['--object-lock-enabled-for-bucket'] : [];
      await admin('create-bucket', '--bucket', name, '--owner', owner.accessKeyId, ...lock);
    },
    kill: (signal) => service.kill(signal),
    async whenReady(timeoutMs = START_TIMEOUT_MS) {
      const deadline = Date.now() + timeoutMs;
      while (!(await answers(endpoint))) {
        if (Date.now() > deadline) {
          throw new DevstackError(
            'process_failed',
            `The S3 server did not come back within ${timeoutMs} ms.`,
          );
        }
        await delay(20);
      }
    },
    start: () => service.start(),
    stop: () => service.stop(),
  };
}

interface ProgramStart {
  program: string;
  folder: { data: string; versions: string; accounts: string };
  root: S3Credentials;
  port: number;
  endpoint: string;
  log: BoundedLog;
  signal: AbortSignal;
}

async function startProgram(start: ProgramStart): Promise<RunningChild> {
  const { folder, log, port } = start;
  const child = await startChild({
    command: start.program,
    args: [
      ...['--port', `${HOST}:${port}`, '--region', REGION, '--health', HEALTH_PATH],
      ...['--iam-dir', folder.accounts, '--keep-alive', '--quiet'],
      ...['posix', '--versioning-dir', folder.versions, folder.data],
    ],
    // Secrets go through the environment: everyone can see arguments.
    env: { ROOT_ACCESS_KEY_ID: start.root.accessKeyId, ROOT_SECRET_ACCESS_KEY: start.root.secretAccessKey },
    cwd: folder.data,
    log,
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  try {
    while (!(await answers(start.endpoint))) {
      if (child.exit !== undefined) throw startFailure(log, port);
      if (Date.now() > deadline) {
        throw new DevstackError(
          'process_failed',
          `The S3 server did not start within ${START_TIMEOUT_MS} ms.`,
        );
      }
      start.signal.throwIfAborted();
      await delay(20);
    }
    // Another server may have answered on that port while ours found it taken.
    if (child.exit !== undefined) throw startFailure(log, port);
    return child;
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
}

function startFailure(log: BoundedLog, port: number): DevstackError {
  const lines = log.tail(12);
  if (lines.some((line) => line.includes('address already in use'))) {
    return new DevstackError('port_in_use', `Port ${port} (S3 server) is already in use.`, { port });
  }
  return new DevstackError(
    'process_failed',
    `The S3 server did not start: ${lines.at(-1) ?? 'no message'} (log: ${log.file}).`,
    { log: log.file, lines },
  );
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(`${endpoint}${HEALTH_PATH}`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Those of an earlier run, or new ones: no two servers have the same. */
async function rootCredentials(file: string): Promise<S3Credentials> {
  const kept = await readSecrets(
    file,
    ['accessKeyId', 'secretAccessKey'],
    'the credentials of the S3 server',
  );
  if (kept !== undefined) return kept;
  const made = newCredentials();
  await writePrivate(file, `${JSON.stringify(made)}\n`);
  return made;
}

function newCredentials(): S3Credentials {
  return {
    accessKeyId: `DEV${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
}
