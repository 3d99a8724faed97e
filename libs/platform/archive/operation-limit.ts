import { Limiter } from '#platform/resilience';
import { ArchiveError } from './archive.error';

/** @throws ArchiveError `invalid_options` */
export function operationLimit(parallel: number): Limiter {
  if (!Number.isInteger(parallel) || parallel < 1) {
    throw new ArchiveError('invalid_options', `At least one operation has to run at once, not ${parallel}.`);
  }
  return new Limiter(parallel);
}

export function closedError(): ArchiveError {
  return new ArchiveError('closed', 'The archive is being closed and takes no more operations.');
}
