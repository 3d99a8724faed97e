import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { locateBinaries } from './postgres-binaries';
import { serverAccount, type SystemAccount } from './system-account';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';

export interface RecoveryOptions {
  /** Data folder with a base backup in it, that of PostgreSQL's account. */
  readonly data: string;
  /** Folder for socket, settings and log; made here, gone after `stop`. Short, for a socket's path has 107 bytes. */
  readonly parent: string;
  readonly restoreCommand: string;
  /** Null: to the end of what is archived. */
  readonly targetTime: Date | null;
  /** Longest time without any progress of the recovery. */
  readonly stalledMs: number;
  readonly say?: (line: string) => void;
}

/** A server over a restored data folder, which only the user who started it can reach. */
export interface RecoveredCluster {
  /** URL of a database of it, as the superuser. */
  urlOf(database: string): string;
  /** Time of the last transaction that recovery brought back; null when it brought none. */
  readonly lastTransaction: Date | null;
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
/** The file name that the server gives to its socket ends with it. */
const PORT = 5432;
const STOP_GRACE_MS = 60_000;

/**
 * Lets a restored base backup recover: PostgreSQL reads the write-ahead log from the archive, stops at the target, and is
 * promoted. It listens on a socket in a folder of mode 0700 alone and asks for no password, since those in the copy are not
 * known here; it archives nothing, and takes no setting from the copy's own configuration files.
 * @throws DevstackError `postgres_failed` with PostgreSQL's last words
 */
export async function recoverCluster(options: RecoveryOptions): Promise<RecoveredCluster> {
  const account = serverAccount();
  const binaries = await locateBinaries(account);
  const own = async (path: string): Promise<void> => {
    if (account !== undefined) await chown(path, account.uid, account.gid);
  };
  const dir = await mkdtemp(join(options.parent, 'r-'));
  await own(dir);
  const log = new BoundedLog(join(dir, 'postgres.log'));
  let child: RunningChild | undefined;
  const stop = async (): Promise<void> => {
    await child?.stop(STOP_GRACE_MS);
    log.close();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const hba = join(dir, 'pg_hba.conf');
    await writeFile(hba, 'local all all trust\n', { mode: 0o600 });
    await own(hba);
    const config = join(dir, 'postgresql.conf');
    await writeFile(config, '', { mode: 0o600 });
    await own(config);
    await prepare(options.data, account);
    const { targetTime } = options;
    child = await startChild({
      command: binaries.postgres,
      args: [
        ...['-D', options.data],
        ...Object.entries({
          config_file: config,
          hba_file: hba,
          ident_file: join(dir, 'pg_ident.conf'),
          listen_addresses: '',
          unix_socket_directories: dir,
          port: String(PORT),
          archive_mode: 'off',
          // Nobody reads before it is whole, and settings of the original need not be matched.
          hot_standby: 'off',
          restore_command: options.restoreCommand,
          recovery_target_action: 'promote',
          recovery_target_timeline: 'latest',
          ...(targetTime === null ? {} : { recovery_target_time: postgresTime(targetTime) }),
          max_connections: '30',
          shared_buffers: '128MB',
          log_min_messages: 'log',
          logging_collector: 'off',
          log_destination: 'stderr',
          shared_preload_libraries: '',
          ssl: 'off',
        }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
      cwd: options.data,
      log,
      account,
      stopSignal: 'SIGINT',
    });
    const urlOf = (database: string): string =>
      `postgres://${SUPERUSER}@${encodeURIComponent(dir)}:${PORT}/${encodeURIComponent(database)}`;
    await untilRecovered(child, log, dir, options);
    return { urlOf, lastTransaction: lastTransactionIn(log.tail()), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The name of a zone is not known yet when PostgreSQL reads the target. */
function postgresTime(at: Date): string {
  return at.toISOString().replace('T', ' ').replace('Z', '+00');
}

/** What barman leaves out of a base backup and PostgreSQL wants, and what makes it recover. */
async function prepare(data: string, account: SystemAccount | undefined): Promise<void> {
  for (const name of [
    'pg_wal',
    'pg_wal/archive_status',
    'pg_notify',
    'pg_replslot',
    'pg_snapshots',
    'pg_stat_tmp',
    'pg_subtrans',
    'pg_dynshmem',
    'pg_serial',
    'pg_stat',
    'pg_twophase',
    'pg_tblspc',
  ]) {
    const path = join(data, name);
    if (!existsSync(path)) await mkdir(path, { mode: 0o700 });
    if (account !== undefined) await chown(path, account.uid, account.gid);
  }
  const signal = join(data, 'recovery.signal');
  await writeFile(signal, '', { mode: 0o600 });
  if (account !== undefined) await chown(signal, account.uid, account.gid);
}

async function untilRecovered(
  child: RunningChild,
  log: BoundedLog,
  dir: string,
  { stalledMs, say = () => undefined }: RecoveryOptions,
): Promise<void> {
  let seen = '';
  let lastSign = performance.now();
  for (;;) {
    const lines = log.tail();
    // Not asked before: each attempt would put two lines into the log, and hide why it ended.
    if (lines.some((line) => line.includes('ready to accept connections')) && (await isOpen(dir))) return;
    if (child.exit !== undefined) throw failure(lines);
    const restored = lines.findLast((line) => line.includes('restored log file')) ?? lines.at(-1) ?? '';
    if (restored !== seen) {
      seen = restored;
      lastSign = performance.now();
      const [, name] = /restored log file "([0-9A-F]{24})"/.exec(restored) ?? [];
      if (name !== undefined) say(`recovered up to the log file ${name}`);
    }
    if (performance.now() - lastSign > stalledMs) {
      throw new DevstackError(
        'postgres_failed',
        `PostgreSQL made no progress in its recovery for ${Math.round(stalledMs / 1_000)} s: ${seen}`,
        { lines },
      );
    }
    await delay(100);
  }
}

function failure(lines: readonly string[]): DevstackError {
  const fatal = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? 'no message';
  return new DevstackError('postgres_failed', `PostgreSQL could not recover the backup: ${fatal}`, { lines });
}

function lastTransactionIn(lines: readonly string[]): Date | null {
  const said = lines.findLast((line) => line.includes('last completed transaction was at log time'));
  const [, text] = /log time (.+)$/.exec(said ?? '') ?? [];
  const at = new Date((text ?? '').replace(/\+00$/, '+00:00').replace(/ UTC$/, 'Z'));
  return Number.isNaN(at.getTime()) ? null : at;
}

async function isOpen(dir: string): Promise<boolean> {
  const client = new Client({
    host: dir,
    port: PORT,
    user: SUPERUSER,
    database: SUPERUSER,
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    return rows[0]?.recovering === false;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
