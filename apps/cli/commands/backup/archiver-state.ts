import { isSegment, walAfter } from '#platform/backup';
import { openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';

/** What PostgreSQL says of the archiving of its log. */
export interface ArchiverState {
  readonly mode: string;
  readonly command: string;
  readonly dataDirectory: string;
  readonly lastArchived: string | null;
  readonly lastArchivedAt: Date | null;
  readonly lastFailed: string | null;
  readonly lastFailedAt: Date | null;
  readonly failures: number;
  /** The last attempt failed, so it is tried again and again. */
  readonly isFailing: boolean;
  /** The oldest file that waits to be archived. */
  readonly waiting: string | null;
  /**
   * For how long a file has waited while none was archived, in seconds. An archive_command that cannot be run at all ends
   * PostgreSQL's archiver each time, and such a failure is counted nowhere else.
   */
  readonly stalledSeconds: number;
  /** Age of the oldest thing that is written and in no archive, in seconds: at most so much is lost with the disk. */
  readonly rpoSeconds: number;
}

/** Bytes at the beginning of a segment that say nothing but where it belongs. */
const SEGMENT_HEADER = 40;

interface Row {
  mode: string;
  command: string;
  directory: string;
  last_archived_wal: string | null;
  last_archived_time: Date | null;
  last_failed_wal: string | null;
  last_failed_time: Date | null;
  failed_count: string;
  current: string;
  offset: number;
  started: Date;
  waiting: string | null;
  waiting_since: Date | null;
  now: Date;
}

export async function archiverState(dataSource: DataSource): Promise<ArchiverState> {
  const [row] = await dataSource.query<Row[]>(
    `SELECT current_setting('archive_mode') AS mode, current_setting('archive_command') AS command,
            current_setting('data_directory') AS directory, a.last_archived_wal, a.last_archived_time, a.last_failed_wal,
            a.last_failed_time, a.failed_count, w.file_name AS current, w.file_offset AS offset,
            pg_postmaster_start_time() AS started, clock_timestamp() AS now,
            r.waiting, r.waiting_since
     FROM pg_stat_archiver a, pg_walfile_name_offset(pg_current_wal_insert_lsn()) w,
          (SELECT min(name) AS waiting, min(modification) AS waiting_since
           FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') r`,
  );
  if (row === undefined) throw new Error('PostgreSQL does not say how it archives its log.');
  const { last_archived_wal: archived, last_archived_time: archivedAt, last_failed_time: failedAt } = row;
  // The last one may also be the history of a timeline, which says nothing of the log.
  const segment = archived?.slice(0, 24) ?? '';
  const isArchived = isSegment(segment) && row.current === walAfter(segment) && row.offset <= SEGMENT_HEADER;
  const since = archivedAt ?? row.started;
  const stalledSince = row.waiting_since === null ? row.now : later(row.waiting_since, since);
  return {
    mode: row.mode,
    command: row.command,
    dataDirectory: row.directory,
    lastArchived: archived,
    lastArchivedAt: archivedAt,
    lastFailed: row.last_failed_wal,
    lastFailedAt: failedAt,
    failures: Number(row.failed_count),
    isFailing: failedAt !== null && (archivedAt === null || failedAt > archivedAt),
    waiting: row.waiting?.replace(/\.ready$/, '') ?? null,
    stalledSeconds: Math.max(0, (row.now.getTime() - stalledSince.getTime()) / 1_000),
    rpoSeconds: isArchived ? 0 : Math.max(0, (row.now.getTime() - since.getTime()) / 1_000),
  };
}

/** Why nothing is archived; null while files are, or none has waited for so long. */
export function archiverProblem(
  state: Pick<ArchiverState, 'isFailing' | 'stalledSeconds' | 'waiting' | 'lastFailed' | 'lastFailedAt'>,
  longestSeconds: number,
): string | null {
  const { isFailing, stalledSeconds, waiting } = state;
  if (stalledSeconds <= longestSeconds) return null;
  if (isFailing) return failureText(state);
  return `PostgreSQL cannot archive its log: ${waiting} has waited for ${Math.round(stalledSeconds)} s, and nothing was archived. PostgreSQL's own log says why; its account must be able to run archive_command.`;
}

export function failureText({
  lastFailed,
  lastFailedAt,
}: Pick<ArchiverState, 'lastFailed' | 'lastFailedAt'>): string {
  return `PostgreSQL cannot archive its log: ${lastFailed ?? 'a file'} failed at ${lastFailedAt?.toISOString() ?? '?'}, and nothing was archived since. PostgreSQL's own log says why.`;
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

/** A connection to the server that is backed up. */
export function openBackedUp(url: string): Promise<DataSource> {
  return openEventStoreDataSource({ url, poolSize: 1, applicationName: 'kernel-backup' });
}
