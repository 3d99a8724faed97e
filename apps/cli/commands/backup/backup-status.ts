import { type BaseBackup, type NewestWal } from '#platform/backup';
import { type ArchiverState, archiverProblem, archiverState, openBackedUp } from './archiver-state';
import { type OpenBackups } from './open-backups';

export interface BackupStatus {
  readonly destination: string;
  readonly serverName: string;
  /** The newest base backup that is whole. */
  readonly base: BaseBackup | null;
  /** Base backups by status. */
  readonly bases: Readonly<Record<string, number>>;
  readonly newestWal: NewestWal | null;
  /** Log files that a restore from the newest base backup would not find. */
  readonly missing: readonly string[];
  /** Null where the server is not named: then the age of the newest log file counts. */
  readonly archiver: Omit<ArchiverState, 'command' | 'dataDirectory'> | null;
  /** What would be lost if the database's disk went now, in seconds; null when nothing is known. */
  readonly rpoSeconds: number | null;
  /** What is wrong; empty: a restore is possible. */
  readonly problems: readonly string[];
}

export interface StatusLimits {
  readonly maxBaseHours: number;
  readonly maxRpoSeconds: number;
}

/** archive_command takes seconds for a file. */
const STALLED_SECONDS = 60;

export async function backupStatus(
  backups: OpenBackups,
  limits: StatusLimits,
  now = new Date(),
): Promise<BackupStatus> {
  const { catalogue, settings, bucket } = backups;
  const bases = await catalogue.bases();
  const base = bases.find(({ status }) => status === 'DONE') ?? null;
  const newestWal = await catalogue.newestWal();
  const plan = base === null ? null : await catalogue.planFrom(base);
  const archiver =
    settings.backupDatabaseUrl === undefined ? null : await stateOf(settings.backupDatabaseUrl);
  const rpoSeconds =
    archiver?.rpoSeconds ??
    (newestWal === null ? null : Math.max(0, (now.getTime() - newestWal.storedAt.getTime()) / 1_000));
  const missing = plan?.missing ?? [];
  const problems = problemsOf({ base, newestWal, missing, archiver, rpoSeconds }, limits, now);
  const counts: Record<string, number> = {};
  for (const { status } of bases) counts[status] = (counts[status] ?? 0) + 1;
  return {
    destination: bucket.destination,
    serverName: bucket.serverName,
    base,
    bases: counts,
    newestWal,
    missing,
    archiver,
    rpoSeconds,
    problems,
  };
}

type Found = Pick<BackupStatus, 'base' | 'newestWal' | 'missing' | 'archiver' | 'rpoSeconds'>;

/** What keeps a restore from being possible, or from losing little. */
export function problemsOf(found: Found, { maxBaseHours, maxRpoSeconds }: StatusLimits, now: Date): string[] {
  const { base, newestWal, missing, archiver, rpoSeconds } = found;
  const problems: string[] = [];
  if (base === null) problems.push('There is no base backup that is whole: run ./kernel backup start.');
  const ended = base?.endTime ?? null;
  if (ended !== null && now.getTime() - ended.getTime() > maxBaseHours * 3_600_000) {
    problems.push(
      `The newest base backup is of ${ended.toISOString()}, more than ${maxBaseHours} hours ago.`,
    );
  }
  if (newestWal === null) problems.push('No log file is archived.');
  if (missing.length > 0) {
    problems.push(
      `${missing.length} log files that the newest base backup needs are missing, the first of them ${missing[0]}: make a new base backup.`,
    );
  }
  if (archiver !== null && archiver.mode === 'off') {
    problems.push('PostgreSQL does not archive its log (archive_mode is off).');
  } else if (archiver !== null) {
    const problem = archiverProblem(archiver, archiver.isFailing ? 0 : STALLED_SECONDS);
    if (problem !== null) problems.push(problem);
  }
  if (rpoSeconds !== null && rpoSeconds > maxRpoSeconds) {
    problems.push(
      `What was written in the last ${Math.round(rpoSeconds)} s is in no archive of the log (at most ${maxRpoSeconds} s).`,
    );
  }
  return problems;
}

async function stateOf(url: string): Promise<Omit<ArchiverState, 'command' | 'dataDirectory'>> {
  const dataSource = await openBackedUp(url);
  try {
    const { command: _command, dataDirectory: _directory, ...state } = await archiverState(dataSource);
    return state;
  } finally {
    await dataSource.destroy();
  }
}
