import { ArchiveError, type ArchiveErrorCode } from '../archive.error';

const REFUSED = new Set(['EACCES', 'EPERM', 'EROFS']);

export function errnoOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/** Turns an error of the file system into one of the archive; an ArchiveError stays as it is. */
export function folderFailure(error: unknown, doing: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const errno = errnoOf(error) ?? 'unknown error';
  const reason = error instanceof Error ? error.message : String(error);
  const code: ArchiveErrorCode = REFUSED.has(errno) ? 'access_denied' : 'unavailable';
  return new ArchiveError(code, `Could not ${doing}: ${reason}.`, { errno }, { cause: error });
}
