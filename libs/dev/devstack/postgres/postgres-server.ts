import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { locateBinaries, type PostgresBinaries } from './postgres-binaries';
import { openFolder, type PostgresFolder } from './postgres-folder';
import { serverAccount, type SystemAccount } from './system-account';
import { type BackupBucket, writeWalCommands } from '../backup/wal-commands';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';
import { freePort } from '../process/free-port';
import { commandLineOf, identityOf, isRunning, signalProcess } from '../process/process-identity';
import { SupervisedService } from '../process/supervised-service';

export const OWNER_ROLE = 'kernel_owner';
export const RUNTIME_ROLE = 'kernel_runtime';
export const WORKER_ROLE = 'kernel_worker';
export const DATABASE = 'kernel';
const SUPERUSER = 'postgres';
const HOST = '127.0.0.1';

/** Without any answer. A server that says that it recovers is waited for, however long it takes. */
const START_TIMEOUT_MS = 60_000;
/** Fast shutdown disconnects everyone and writes a checkpoint. */
const STOP_GRACE_MS = 15_000;

/** PostgreSQL's own environment: nothing of the launcher's leaks into it. */
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

/**
 * Every setting that differs from PostgreSQL's own default, with its reason. Durability settings are not among them:
 * fsync, full_page_writes and synchronous_commit stay on, because the kernel acknowledges only what is on disk.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // Loopback only, and no socket file elsewhere on the machine.
  listen_addresses: HOST,
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  // The hot end of the event log and its indexes stay in memory.
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  maintenance_work_mem: '128MB',
  wal_buffers: '16MB',
  // Checkpoints are rare and spread out: they are what makes a commit slow now and then.
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  // Solid-state disks; short statements, for which compiling a plan never pays.
  random_page_cost: '1.1',
  jit: 'off',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log says what went wrong, not what was asked: statements hold payloads.
  log_min_error_statement: 'panic',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
};

export interface PostgresOptions {
  /** Folder of the cluster; made when it does not exist, taken up again when it does. */
  dir: string;
  /** TCP port on 127.0.0.1; a free one when left out. */
  port?: number;
  /** Where the server's own log goes; default `<dir>/postgres.log`. */
  logFile?: string;
  /** Settings on top of the built-in ones. */
  settings?: Readonly<Record<string, string>>;
  /** A bucket to which it archives its log; undefined: it archives none. */
  backup?: BackupBucket | undefined;
  /** Start it again when it dies; default true. */
  restart?: boolean;
  /** Skip the flush of a new cluster's files to disk (a cluster that is thrown away anyway); default false. */
  throwaway?: boolean;
  /** Called with what happens to the process. */
  onChange?: (service: SupervisedService, note: string) => void;
  /** Called with what is waited for. */
  say?: (line: string) => void;
  /** Gives up starting. */
  signal?: AbortSignal | undefined;
  /** How long it may say nothing at its start; for tests. */
  startTimeoutMs?: number;
}

export type PostgresLogin = 'owner' | 'runtime' | 'worker' | 'superuser';

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly version: string;
  /** The role that owns the schema and runs migrations. */
  readonly ownerUrl: string;
  /** The role that the kernel runs as; it has the rights that migrations grant it. */
  readonly runtimeUrl: string;
  /** The role that relay, indexer, archiver and auditor run as. */
  readonly workerUrl: string;
  /** May do anything, for tests that play the attacker with the disk in hand. */
  readonly superuserUrl: string;
  readonly ownerRole: string;
  readonly runtimeRole: string;
  readonly workerRole: string;
  /** Process id of the postmaster, undefined while it is down. */
  readonly pid: number | undefined;
  readonly restarts: number;
  /** A URL for another database of this server with the same login. */
  urlFor(role: PostgresLogin, database: string): string;
  /** Kills the postmaster outright and waits until it is gone. It comes back by itself unless `restart` is off. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Settles when it accepts connections. */
  whenReady(timeoutMs?: number): Promise<void>;
  /** Starts it after `stop`, or after `kill` with `restart` off. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a real PostgreSQL on the loopback address, as an ordinary user or (dropping to a system account) as root. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const account = serverAccount();
  const binaries = await locateBinaries(account);
  const folder = await openFolder(options.dir, account);
  const log = new BoundedLog(options.logFile ?? join(options.dir, 'postgres.log'));
  if (!folder.initialised) await createCluster(binaries, folder, account, options.throwaway === true);
  const archiving = options.backup === undefined ? {} : await archiveSettings(folder, options.backup);
  const port = options.port ?? (await freePort());
  const url = (role: PostgresLogin, database: string): string => {
    const user = { owner: OWNER_ROLE, runtime: RUNTIME_ROLE, worker: WORKER_ROLE, superuser: SUPERUSER }[
      role
    ];
    return `postgres://${user}:${folder.passwords[role]}@${HOST}:${port}/${database}`;
  };

  const service = new SupervisedService({
    name: 'postgres',
    stopGraceMs: STOP_GRACE_MS,
    restart: options.restart !== false,
    ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
    start: (signal) =>
      startServer({
        ...{ binaries, folder, account, log, port, url, say: options.say ?? (() => undefined) },
        settings: { ...archiving, ...options.settings },
        timeoutMs: options.startTimeoutMs ?? START_TIMEOUT_MS,
        signal: options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]),
      }),
  });

  const server: PostgresServer = {
    host: HOST,
    port,
    dir: options.dir,
    version: binaries.version,
    ownerUrl: url('owner', DATABASE),
    runtimeUrl: url('runtime', DATABASE),
    workerUrl: url('worker', DATABASE),
    superuserUrl: url('superuser', DATABASE),
    ownerRole: OWNER_ROLE,
    runtimeRole: RUNTIME_ROLE,
    workerRole: WORKER_ROLE,
    get pid() {
      return service.current?.pid;
    },
    get restarts() {
      return service.restarts;
    },
    urlFor: url,
    kill: (signal) => service.kill(signal),
    async whenReady(timeoutMs = START_TIMEOUT_MS) {
      const deadline = Date.now() + timeoutMs;
      while ((await stateAt(url('superuser', SUPERUSER))) !== 'open') {
        if (Date.now() > deadline) {
          throw new DevstackError('postgres_failed', `PostgreSQL did not come back within ${timeoutMs} ms.`);
        }
        await delay(25);
      }
    },
    start: () => service.start(),
    stop: () => service.stop(),
  };
  await server.start();
  return server;
}

/** A quiet database archives its last segment this late: the time for which a lost disk loses what no event archive has. */
const ARCHIVE_TIMEOUT = '60s';

async function archiveSettings(
  folder: PostgresFolder,
  bucket: BackupBucket,
): Promise<Record<string, string>> {
  const { archiveCommand } = await writeWalCommands(join(dirname(folder.data), 'wal-archive'), bucket);
  return { archive_mode: 'on', archive_command: archiveCommand, archive_timeout: ARCHIVE_TIMEOUT };
}

async function createCluster(
  binaries: PostgresBinaries,
  folder: PostgresFolder,
  account: SystemAccount | undefined,
  throwaway: boolean,
): Promise<void> {
  // Built beside its place and renamed when it is whole: a crash in between leaves nothing that looks like a cluster.
  const building = `${folder.data}.partial`;
  const passwordFile = `${folder.data}.pw`;
  await rm(building, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  await mkdir(building, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, `${folder.passwords.superuser}\n`, { mode: 0o600 });
  if (account !== undefined) {
    await chown(building, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  try {
    await promisify(execFile)(
      binaries.initdb,
      [
        `--pgdata=${building}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Byte order everywhere: an index must not depend on the machine's language.
        '--locale=C',
        ...(throwaway ? ['--no-sync'] : []),
      ],
      {
        cwd: building,
        env: ENVIRONMENT,
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      },
    );
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    await rm(building, { recursive: true, force: true });
    if (stderr?.includes('could not look up effective user ID') === true) {
      throw new DevstackError(
        'no_system_user',
        `PostgreSQL needs a user that the system knows, and user id ${process.getuid?.()} has no entry in /etc/passwd; run the command as another user.`,
        {},
        { cause },
      );
    }
    throw new DevstackError(
      'postgres_failed',
      `initdb could not create the database in ${folder.data}: ${lastLine(stderr) ?? (cause as Error).message}`,
      { data: folder.data, stderr },
      { cause },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rm(folder.data, { recursive: true, force: true });
  await rename(building, folder.data);
}

interface ServerStart {
  binaries: PostgresBinaries;
  folder: PostgresFolder;
  account: SystemAccount | undefined;
  log: BoundedLog;
  port: number;
  settings: Readonly<Record<string, string>>;
  url: (role: PostgresLogin, database: string) => string;
  say: (line: string) => void;
  timeoutMs: number;
  signal: AbortSignal;
}

async function startServer(start: ServerStart): Promise<RunningChild> {
  const { binaries, folder, log, port } = start;
  await clearPostmasterLock(folder.data);
  const settings = { ...SETTINGS, ...start.settings, port: String(port) };
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const child = await startChild({
      command: binaries.postgres,
      args: ['-D', folder.data, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
      env: ENVIRONMENT,
      cwd: folder.data,
      log,
      account: start.account,
      // Fast shutdown: roll back what is open, write a checkpoint, end.
      stopSignal: 'SIGINT',
    });
    try {
      await untilOpen(start, child);
      // Another server may have answered on that port while ours found it taken.
      if (child.exit !== undefined) throw startFailure(log, port);
      await ensureRoles(start);
      return child;
    } catch (error) {
      await child.stop(STOP_GRACE_MS);
      // Sessions of a postmaster that was killed let go of its memory when they notice, within seconds.
      if (error instanceof OldSessionsLeft && Date.now() < deadline && !start.signal.aborted) {
        await delay(200);
        continue;
      }
      throw error;
    }
  }
}

class OldSessionsLeft extends DevstackError {}

/** What a server says of itself: nothing, that it recovers, that it holds at the target of its recovery, or that it can be used. */
type ServerState = 'silent' | 'starting' | 'recovering' | 'paused' | 'open';

const WAITING: Readonly<Partial<Record<ServerState, string>>> = {
  starting: 'PostgreSQL replays its log; waiting until it has',
  recovering: 'PostgreSQL is in recovery; waiting until it is promoted',
  paused:
    'PostgreSQL has paused at the target of its recovery; waiting until it is told to go on (SELECT pg_wal_replay_resume())',
};
/** A start in this time needs no explanation. */
const QUIET_MS = 2_000;

/** Waits until the server takes writes. It counts no time in which the server says that it recovers. */
async function untilOpen(
  { url, log, port, timeoutMs, signal, say }: ServerStart,
  child: RunningChild,
): Promise<void> {
  const started = Date.now();
  let lastSign = started;
  let said: ServerState = 'silent';
  for (;;) {
    const state = await stateAt(url('superuser', SUPERUSER));
    if (state === 'open') return;
    if (child.exit !== undefined) throw startFailure(log, port);
    if (state !== 'silent') lastSign = Date.now();
    if (Date.now() - lastSign > timeoutMs) {
      throw new DevstackError('postgres_failed', `PostgreSQL did not start within ${timeoutMs} ms.`);
    }
    const line = WAITING[state];
    if (line !== undefined && state !== said && (state !== 'starting' || Date.now() - started > QUIET_MS)) {
      said = state;
      say(line);
    }
    signal.throwIfAborted();
    await delay(20);
  }
}

function startFailure(log: BoundedLog, port: number): DevstackError {
  const lines = log.tail(12);
  const text = lines.join('\n');
  if (/Address already in use|could not bind/.test(text)) {
    return new DevstackError('port_in_use', `Port ${port} (PostgreSQL) is already in use.`, { port });
  }
  if (text.includes('shared memory block')) {
    return new OldSessionsLeft('postgres_failed', 'Sessions of an earlier PostgreSQL are still ending.');
  }
  const fatal = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? 'no message';
  return new DevstackError('postgres_failed', `PostgreSQL did not start: ${fatal} (log: ${log.file}).`, {
    log: log.file,
    lines,
  });
}

/**
 * postmaster.pid of a server that was killed. PostgreSQL itself refuses to start when a process with that number
 * exists, whatever it is; and a server that outlived its launcher must end before another one may use its files.
 */
async function clearPostmasterLock(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number((await readFile(file, 'utf8')).split('\n')[0]);
  const identity = Number.isInteger(pid) && pid > 0 ? identityOf(pid) : undefined;
  const args = identity === undefined ? undefined : commandLineOf(pid);
  if (identity === undefined || args?.includes(data) !== true) {
    await rm(file, { force: true });
    return;
  }
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', STOP_GRACE_MS],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ];
  for (const [signal, graceMs] of steps) {
    signalProcess(identity, signal);
    const deadline = Date.now() + graceMs;
    while (isRunning(identity) && Date.now() < deadline) await delay(25);
    if (!isRunning(identity)) return;
  }
}

async function stateAt(url: string): Promise<ServerState> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ state: ServerState }>(
      `SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'open' WHEN pg_is_wal_replay_paused() THEN 'paused' ELSE 'recovering' END AS state`,
    );
    return rows[0]?.state ?? 'silent';
  } catch (error) {
    const { code } = error as { code?: string };
    // cannot_connect_now: it starts, recovers without answering reads, or stops.
    if (code === '57P03') return 'starting';
    // A wrong password means that the server of another folder listens there.
    if (code === '28P01') {
      throw new DevstackError(
        'port_in_use',
        'Another PostgreSQL server listens on the port of this one.',
        {},
        { cause: error },
      );
    }
    return 'silent';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes the roles and the database what this folder says they are; the next start repairs a crash half way through. */
async function ensureRoles({ url, folder }: ServerStart): Promise<void> {
  const client = new Client({ connectionString: url('superuser', SUPERUSER) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    for (const [role, password] of [
      [OWNER_ROLE, folder.passwords.owner],
      [RUNTIME_ROLE, folder.passwords.runtime],
      [WORKER_ROLE, folder.passwords.worker],
    ] as const) {
      const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
      // Already there with this password: changing it at each start would only write to the catalogue.
      if (found.rowCount === 1) continue;
      await client.query(
        `CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${client.escapeLiteral(password)}`,
      );
    }
    const database = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (database.rowCount === 0) {
      await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER_ROLE} STRATEGY wal_log`);
    }
    await client.query(`REVOKE ALL ON DATABASE ${DATABASE} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${DATABASE} TO ${RUNTIME_ROLE}, ${WORKER_ROLE}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function lastLine(text: string | undefined): string | undefined {
  return text?.trim().split('\n').at(-1);
}
