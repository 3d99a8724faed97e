import { setTimeout as delay } from 'node:timers/promises';
import { type DataSource } from '#platform/postgres';
import { type BaseBackup } from '#platform/backup';
import { runBarman } from '#dev/devstack';
import { CliError } from '../../cli.error';
import { say } from '../../output/print';
import {
  type ArchiverState,
  archiverProblem,
  archiverState,
  failureText,
  openBackedUp,
} from './archiver-state';
import { type OpenBackups } from './open-backups';

export interface StartedBackup {
  readonly base: BaseBackup;
  readonly seconds: number;
  /** Base backups that retention let go of. */
  readonly deleted: number;
}

/** Interval at which the archiver is looked at. */
const WATCH_MS = 1_000;

/**
 * Makes a base backup and deletes what retention does not keep. barman-cloud-backup waits until the log up to its end is
 * archived; where archiving fails that is for ever, so the archiver is watched meanwhile.
 */
export async function startBackup(
  backups: OpenBackups,
  limits: { limitMs: number; failingMs: number },
): Promise<StartedBackup> {
  const { settings, catalogue, bucket, commands } = backups;
  const { backupDatabaseUrl: url } = settings;
  if (url === undefined) {
    throw new CliError(
      'wrong_usage',
      'The server that is to be backed up is not named: set KERNEL_BACKUP_DATABASE_URL.',
    );
  }
  const started = performance.now();
  const dataSource = await openBackedUp(url);
  try {
    assertArchives(await archiverState(dataSource), limits.failingMs);
    const before = new Set((await catalogue.bases()).map(({ id }) => id));
    const ended = new AbortController();
    const watch = watchArchiver(dataSource, limits, ended);
    const { hostname, port, username, password } = new URL(url);
    const outcome = await runBarman({
      tool: 'backup',
      options: [
        '--gzip',
        '--immediate-checkpoint',
        '--jobs',
        '2',
        ...['--host', hostname],
        ...['--port', port || '5432'],
        ...['--user', decodeURIComponent(username)],
      ],
      bucket,
      credentialsFile: commands.credentialsFile,
      // Not among the arguments, which everyone can see.
      variables: { PGPASSWORD: decodeURIComponent(password), PGCONNECT_TIMEOUT: '10' },
      signal: ended.signal,
    });
    const trouble = await watch.stop();
    if (trouble !== null) throw new CliError('failed', trouble);
    if (outcome.code !== 0)
      throw new CliError('failed', `barman-cloud-backup failed: ${lastWords(outcome.lines)}`);
    const after = await catalogue.bases();
    const base = after.find(({ id, status }) => !before.has(id) && status === 'DONE');
    if (base === undefined)
      throw new CliError(
        'failed',
        `barman-cloud-backup ended, but ${bucket.destination} has no new backup that is whole.`,
      );
    const deleted = await applyRetention(backups, after.length);
    return { base, seconds: (performance.now() - started) / 1_000, deleted };
  } finally {
    await dataSource.destroy();
  }
}

async function applyRetention(
  { bucket, commands, settings, catalogue }: OpenBackups,
  before: number,
): Promise<number> {
  const { code, lines } = await runBarman({
    tool: 'backup_delete',
    options: [
      '--retention-policy',
      `RECOVERY WINDOW OF ${settings.backupRetentionDays} DAYS`,
      '--minimum-redundancy',
      '1',
    ],
    bucket,
    credentialsFile: commands.credentialsFile,
    signal: AbortSignal.timeout(10 * 60_000),
  });
  if (code !== 0) {
    // The backup is there; too much is kept, which the next run may mend.
    say(`old backups could not be deleted: ${lastWords(lines)}`, 'bad');
    return 0;
  }
  return before - (await catalogue.bases()).length;
}

/** @throws CliError saying why no backup of this server could ever end */
function assertArchives(state: ArchiverState, failingMs: number): void {
  const { mode, command } = state;
  if (mode !== 'on' && mode !== 'always') {
    throw new CliError(
      'failed',
      'PostgreSQL does not archive its log (archive_mode is off), so no base backup could be used. It is switched on with a start: ./kernel up with KERNEL_BACKUP_DESTINATION set, or archive_mode = on and archive_command of your server (docs/backup.md).',
    );
  }
  if (command === '' || command === '(disabled)') {
    throw new CliError('failed', 'PostgreSQL has no archive_command (docs/backup.md).');
  }
  const stalled = archiverProblem(state, failingMs / 1_000);
  if (stalled !== null) {
    throw new CliError('failed', `${stalled} Mend that first, or the backup would wait for ever.`);
  }
}

/** Ends the backup when archiving has failed for some time, or the whole takes too long. */
function watchArchiver(
  dataSource: DataSource,
  { limitMs, failingMs }: { limitMs: number; failingMs: number },
  ended: AbortController,
): { stop(): Promise<string | null> } {
  const stopping = new AbortController();
  const begun = performance.now();
  let failingSince: number | null = null;
  let trouble: string | null = null;
  const watching = (async () => {
    while (!stopping.signal.aborted && trouble === null) {
      const now = performance.now();
      const state = await archiverState(dataSource);
      const stalled = archiverProblem(state, failingMs / 1_000);
      if (!state.isFailing) failingSince = null;
      else failingSince ??= now;
      if (stalled !== null || (failingSince !== null && now - failingSince > failingMs)) {
        trouble = `${stalled ?? failureText(state)} The backup was given up.`;
      } else if (now - begun > limitMs) {
        trouble = `The backup did not end within ${Math.round(limitMs / 60_000)} minutes and was given up (--limit); the last log file that was archived is ${state.lastArchived ?? 'none'}.`;
      }
      if (trouble === null)
        await delay(WATCH_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    if (trouble !== null) ended.abort();
  })().catch((error: unknown) => {
    trouble = `PostgreSQL went away during the backup: ${(error as Error).message}`;
    ended.abort();
  });
  return {
    async stop() {
      stopping.abort();
      await watching;
      return trouble;
    },
  };
}

/** What a tool says last is usually why it failed. */
export function lastWords(lines: readonly string[]): string {
  return lines.findLast((line) => /ERROR|Error|FATAL/.test(line)) ?? lines.at(-1) ?? 'it said nothing';
}
