import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Archive, openArchive } from '#platform/archive';
import { type Environment, loadPart } from '#platform/process';
import { CliError } from '../../cli.error';
import { replayArchiveConfig } from './replay.config';

/** Operations on the archive at once. */
const READS = 64;

/** Opens the archive that the environment, or a folder given on the command line, names; it must exist. */
export async function openNamedArchive(
  variables: Environment | undefined,
  archiveDir: string | undefined,
): Promise<{ archive: Archive; name: string }> {
  const folder = archiveDir === undefined ? {} : { KERNEL_ARCHIVE: 'fs', KERNEL_ARCHIVE_DIR: archiveDir };
  const settings = loadPart(replayArchiveConfig, variables, folder);
  const isFolder = settings.archive === 'fs';
  // Opening a folder that is not there would make it.
  if (isFolder && settings.archiveDir !== undefined && !existsSync(settings.archiveDir)) {
    throw new CliError('file_problem', `There is no archive in ${resolve(settings.archiveDir)}.`);
  }
  const name = isFolder
    ? `the archive in ${settings.archiveDir}`
    : `the archive in bucket ${settings.s3Bucket}`;
  return { archive: await openArchive(settings, { parallel: READS }), name };
}
