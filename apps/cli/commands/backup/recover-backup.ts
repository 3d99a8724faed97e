import { type BaseBackup } from '#platform/backup';
import { type RecoveredCluster, recoverCluster, type RestoreFolder, runBarman } from '#dev/devstack';
import { CliError } from '../../cli.error';
import { say } from '../../output/print';
import { type OpenBackups } from './open-backups';
import { lastWords } from './start-backup';

export interface RecoverRequest {
  readonly folder: RestoreFolder;
  /** Null: to the newest log file. */
  readonly to: Date | null;
  /** Id of a base backup; undefined: the newest that fits, and where that is broken, the one before it. */
  readonly backup?: string | undefined;
  readonly limitMs: number;
}

export interface RecoveredBackup {
  readonly base: BaseBackup;
  /** Newer ones that could not be used, and why. */
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
  /** The newest log file that recovery could read. */
  readonly newestWal: string;
  readonly cluster: RecoveredCluster;
}

/** Longest time without a log file being read. */
const STALLED_MS = 5 * 60_000;

/** Puts a base backup into an empty folder and lets PostgreSQL recover it. Leaves the folder empty when that fails. */
export async function recoverBackup(backups: OpenBackups, request: RecoverRequest): Promise<RecoveredBackup> {
  const skipped: { id: string; why: string }[] = [];
  for (const base of await candidates(backups, request)) {
    const skip = (why: string): void => {
      say(`the base backup ${base.id} cannot be used: ${why}`, 'bad');
      skipped.push({ id: base.id, why });
    };
    const plan = await backups.catalogue.planFrom(base);
    if (plan === null) {
      skip('there is no log file to recover it with');
      continue;
    }
    const gap = missingText(plan.missing);
    // Up to a time recovery may need less; PostgreSQL says so below when it needs more than there is.
    if (gap !== null && (request.to === null || isNeeded(base, plan.missing))) throw refusal(base, gap);
    say(`reading the base backup ${base.id}`);
    const { code, lines } = await runBarman({
      tool: 'restore',
      rest: [base.id, request.folder.data],
      bucket: backups.bucket,
      credentialsFile: backups.commands.credentialsFile,
      signal: AbortSignal.timeout(request.limitMs),
    });
    if (code !== 0) {
      await request.folder.clear();
      skip(lastWords(lines));
      continue;
    }
    say(
      `recovering ${request.to === null ? `up to the log file ${plan.newest.name}` : `up to ${request.to.toISOString()}`}`,
    );
    try {
      const cluster = await recoverCluster({
        data: request.folder.data,
        parent: backups.scratch,
        restoreCommand: backups.commands.restoreCommand,
        targetTime: request.to,
        stalledMs: STALLED_MS,
        say,
      });
      return { base, skipped, newestWal: plan.newest.name, cluster };
    } catch (error) {
      await request.folder.clear();
      const text = (error as Error).message;
      if (text.includes('before configured recovery target was reached')) {
        throw new CliError(
          'failed',
          gap === null
            ? `The log that is archived ends before ${request.to?.toISOString() ?? ''}; take an earlier time, or --to newest.`
            : `Recovery ended before ${request.to?.toISOString() ?? ''}: ${gap}. Nothing was restored.`,
          {},
          { cause: error },
        );
      }
      skip(text);
    }
  }
  const [first] = skipped;
  throw new CliError(
    'failed',
    first === undefined
      ? `There is no base backup in ${backups.bucket.destination} that ${request.to === null ? 'is whole' : `ended before ${request.to.toISOString()}`}.`
      : `No base backup could be used. ${skipped.map(({ id, why }) => `${id}: ${why}`).join(' ')}`,
  );
}

async function candidates(
  { catalogue, bucket }: OpenBackups,
  { to, backup }: RecoverRequest,
): Promise<BaseBackup[]> {
  const bases = await catalogue.bases();
  if (backup !== undefined) {
    const named = bases.find(({ id }) => id === backup);
    if (named === undefined)
      throw new CliError('wrong_usage', `There is no base backup ${backup} in ${bucket.destination}.`);
    if (named.status !== 'DONE')
      throw new CliError('failed', `The base backup ${backup} is not whole: its status is ${named.status}.`);
    return [named];
  }
  return bases.filter(
    ({ status, endTime }) => status === 'DONE' && (to === null || (endTime !== null && endTime <= to)),
  );
}

/** Whether recovery cannot do without: the log from the beginning of the base backup to its end. */
function isNeeded({ endWal }: BaseBackup, missing: readonly string[]): boolean {
  return endWal !== null && missing.some((name) => name.slice(8) <= endWal.slice(8));
}

const MOST_NAMED = 5;

function missingText(missing: readonly string[]): string | null {
  if (missing.length === 0) return null;
  const named = missing.slice(0, MOST_NAMED).join(', ');
  const more = missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : '';
  return `${missing.length === 1 ? 'the log file' : 'the log files'} ${named}${more} ${missing.length === 1 ? 'is' : 'are'} missing`;
}

function refusal(base: BaseBackup, gap: string): CliError {
  return new CliError(
    'failed',
    `The base backup ${base.id} cannot be recovered to the newest state: ${gap}. PostgreSQL would stop there and say nothing. Bring the files back, take --to a time before the gap, or fill an empty store from the archive (./kernel replay). Nothing was restored.`,
  );
}
