import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { withConnectionOptions } from '../../api/connection';
import { CliError } from '../../cli.error';
import { print, say, table } from '../../output/print';
import { wholeFrom } from '../as-owner';
import { backupStatus, type BackupStatus } from './backup-status';
import { type BackupOptions, withBackups } from './open-backups';
import { restoreBackup, type RestoredBackup } from './restore-backup';
import { startBackup } from './start-backup';
import { type VerifiedBackup, verifyBackup, type VerifyBackupOptions } from './verify-backup';

/** A base backup of some hundred gigabytes to a bucket takes hours. */
const DEFAULT_LIMIT_MINUTES = 240;
/** archive_command is tried three times a minute: a failure that passes is over by then. */
const DEFAULT_FAILING_SECONDS = 60;
/** A daily base backup, and two hours for it. */
const DEFAULT_MAX_BASE_HOURS = 26;
/** archive_timeout is a minute; the rest is a slow bucket. */
const DEFAULT_MAX_RPO_SECONDS = 300;
const MINUTE_MS = 60_000;

interface StartOptions extends BackupOptions {
  every?: number;
  limit: number;
  failing: number;
}

export function addBackup(program: Command): void {
  const backup = program
    .command('backup')
    .summary('back the database up, and put it back')
    .description(
      'Base backups and the continuous log of the database in a bucket (KERNEL_BACKUP_DESTINATION), by barman-cloud, laid out as CloudNativePG’s plugin does it. See docs/backup.md.',
    );
  common(backup.command('start'))
    .description(
      'Makes a base backup now and deletes what retention does not keep. PostgreSQL has to archive its log already. Runs on the machine of the server.',
    )
    .option('--every <hours>', 'stay, and make one every so many hours', wholeFrom(1))
    .option('--limit <minutes>', 'give up after this time', wholeFrom(1), DEFAULT_LIMIT_MINUTES)
    .option(
      '--failing <seconds>',
      'give up when archive_command fails for so long',
      wholeFrom(1),
      DEFAULT_FAILING_SECONDS,
    )
    .action(start);
  common(backup.command('status'))
    .description(
      'Shows the newest base backup that is whole, the newest log file, and how much would be lost now. Exit code 1 when something is wrong.',
    )
    .option(
      '--max-base-hours <n>',
      'oldest base backup that is no fault',
      wholeFrom(1),
      DEFAULT_MAX_BASE_HOURS,
    )
    .option('--max-rpo-seconds <n>', 'most that may be in no archive', wholeFrom(1), DEFAULT_MAX_RPO_SECONDS)
    .action(async (options: BackupOptions & { maxBaseHours: number; maxRpoSeconds: number }) => {
      const status = await withBackups(options, (backups) => backupStatus(backups, options));
      print(options.json === true ? JSON.stringify(status, null, 2) : statusText(status));
      for (const problem of status.problems) say(problem, 'bad');
      if (status.problems.length > 0) process.exitCode = 1;
    });
  withConnectionOptions(backup.command('verify'))
    .description(
      'Restores a backup into a scratch folder, lets it recover, verifies every event, compares the heads with archive and published log, checks every page, and removes it again. Exit code 1 when something is wrong.',
    )
    .option('--backup <id>', 'which base backup (default: the newest that is whole)')
    .option('--signers <file>', 'signers.json, the trust root (default: fetched from the kernel)')
    .option('--archive-dir <dir>', 'folder of the archive')
    .option(
      '--limit <minutes>',
      'give up reading a base backup after this time',
      wholeFrom(1),
      DEFAULT_LIMIT_MINUTES,
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: VerifyBackupOptions & BackupOptions & { limit: number }) => {
      const verified = await withBackups(options, (backups) =>
        verifyBackup(backups, options, options.limit * MINUTE_MS),
      );
      print(options.json === true ? JSON.stringify(verified, null, 2) : verifiedText(verified));
      for (const problem of verified.problems) say(problem, 'bad');
      if (verified.problems.length > 0) process.exitCode = 1;
    });
  common(backup.command('restore'))
    .description(
      [
        'Puts the database back into an empty folder: base backup, then the log up to a time or the newest file. With --state the',
        'kernel then starts in safe-mode, the store is filled from the archive, and the kernel may write again only when the heads',
        'agree with archive, published log and the signing proxy’s marks. With --data-dir only the folder is restored, and marked:',
        'a kernel on it stays in safe-mode until ./kernel replay --from archive --to store.',
      ].join(' '),
    )
    .requiredOption(
      '--to <time>',
      '`newest`, or a time with its zone such as 2026-11-30T14:05:00Z',
      pointInTime,
    )
    .option('--data-dir <dir>', 'an empty folder, instead of the state folder’s database')
    .option('--backup <id>', 'which base backup (default: the newest that is whole and old enough)')
    .option('--signers <file>', 'signers.json, the trust root (default: KERNEL_TRUST_ROOT_FILE)')
    .option('--archive-dir <dir>', 'folder of the archive')
    .option(
      '--limit <minutes>',
      'give up reading a base backup after this time',
      wholeFrom(1),
      DEFAULT_LIMIT_MINUTES,
    )
    .action(restore);
}

function common(command: Command): Command {
  return command
    .option('--state <dir>', 'state folder of a kernel that `up` runs with backups')
    .option('--json', 'print the result as JSON');
}

async function start(options: StartOptions): Promise<void> {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  if (options.every !== undefined) process.once('SIGINT', stop).once('SIGTERM', stop);
  for (;;) {
    try {
      const { base, seconds, deleted } = await withBackups(options, (backups) =>
        startBackup(backups, { limitMs: options.limit * MINUTE_MS, failingMs: options.failing * 1_000 }),
      );
      if (options.json === true) print(JSON.stringify({ base, seconds, deleted }));
      else {
        const old = deleted > 0 ? `; ${deleted} old ones were deleted` : '';
        print(`The base backup ${base.id} is whole after ${seconds.toFixed(1)} s${old}.`);
      }
    } catch (error) {
      // The next one may succeed, and the age of the newest raises an alarm.
      if (options.every === undefined) throw error;
      say((error as Error).message, 'bad');
    }
    if (options.every === undefined) return;
    try {
      await delay(options.every * 60 * MINUTE_MS, undefined, { signal: stopped.signal });
    } catch {
      return;
    }
  }
}

type RestoreFlags = BackupOptions & {
  to: Date | 'newest';
  dataDir?: string;
  backup?: string;
  signers?: string;
  archiveDir?: string;
  limit: number;
};

async function restore(options: RestoreFlags): Promise<void> {
  if ((options.state === undefined) === (options.dataDir === undefined)) {
    throw new CliError(
      'wrong_usage',
      'Name where the database is restored: --state or --data-dir, one of the two.',
    );
  }
  const restored = await withBackups(options, (backups) =>
    restoreBackup(
      backups,
      { ...options, to: options.to === 'newest' ? null : options.to },
      options.limit * MINUTE_MS,
    ),
  );
  print(options.json === true ? JSON.stringify(restored, null, 2) : restoredText(restored));
}

function pointInTime(text: string): Date | 'newest' {
  if (text === 'newest') return text;
  const at = new Date(text);
  if (
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ||
    Number.isNaN(at.getTime())
  ) {
    throw new InvalidArgumentError('It is `newest`, or a time with its zone, such as 2026-11-30T14:05:00Z.');
  }
  return at;
}

function statusText({ destination, serverName, base, bases, newestWal, rpoSeconds }: BackupStatus): string {
  const kinds = Object.entries(bases).map(([status, count]) => `${count} ${status}`);
  return [
    `backups      ${destination}/${serverName}: ${kinds.length === 0 ? 'none' : kinds.join(', ')}`,
    `newest base  ${base === null ? 'none' : `${base.id}, ended ${base.endTime?.toISOString() ?? '?'}`}`,
    `newest log   ${newestWal === null ? 'none' : `${newestWal.name}, stored ${newestWal.storedAt.toISOString()}`}`,
    `RPO now      ${rpoSeconds === null ? 'unknown' : `${Math.round(rpoSeconds)} s`}`,
  ].join('\n');
}

function verifiedText({ backup, newestWal, heads, pages, seconds, problems }: VerifiedBackup): string {
  return [
    table(
      heads.map(({ shard, seq, hash, archived, logged }) => ({
        shard: String(shard),
        seq: String(seq),
        hash,
        archived: String(archived),
        logged: String(logged),
      })),
    ),
    `pages: ${pages}`,
    problems.length === 0
      ? `The backup ${backup} can be restored up to ${newestWal} (${seconds.toFixed(1)} s).`
      : `The backup ${backup} was restored up to ${newestWal}; ${problems.length} problems (${seconds.toFixed(1)} s).`,
  ].join('\n');
}

function restoredText({
  backup,
  newestWal,
  dataDirectory,
  recovered,
  heads,
  seconds,
}: RestoredBackup): string {
  const ends = (list: readonly { shard: number; seq: number }[]): string =>
    list.map(({ shard, seq }) => `${shard}:${seq}`).join(', ');
  const lines = [
    `${dataDirectory} was restored from ${backup}, log up to ${newestWal}: ${ends(recovered)} (${seconds.recovery.toFixed(1)} s).`,
  ];
  if (heads === null) {
    lines.push(
      'The database is marked as being restored: start it, then ./kernel replay --from archive --to store.',
    );
  } else {
    lines.push(
      `Archive, log and the signing proxy's marks agree with ${ends(heads)}; the kernel writes again after ${seconds.whole.toFixed(1)} s. Now make a new base backup: ./kernel backup start.`,
    );
  }
  return lines.join('\n');
}
