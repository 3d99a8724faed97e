import { readFileSync } from 'node:fs';
import {
  ConfigError,
  type ConfigProblem,
  type Secret,
  SecretFile,
  secretText,
  watchDisk,
} from '#platform/process';
import { type Archive, type ArchiveObserver } from './archive';
import { type ArchiveReaderSettings, type ArchiveSettings } from './archive-settings';
import { FolderArchive } from './folder/folder-archive';
import { S3Archive, type S3ArchiveOptions } from './s3/s3-archive';

export interface OpenArchiveOptions {
  observer?: ArchiveObserver;
  /** Concurrent operations. Default DEFAULT_PARALLEL. */
  parallel?: number;
}

/**
 * Opens the archive that the settings name; does not contact a bucket yet.
 * In production the caller continues only when `assertProtected` of the archive has settled.
 * @throws ConfigError naming what the chosen archive lacks, or what production must not have
 */
export async function openArchive(
  settings: ArchiveSettings,
  options: OpenArchiveOptions = {},
): Promise<Archive> {
  const problems = settingsProblems(settings);
  if (problems.length > 0) throw new ConfigError('invalid_configuration', problems);
  if (settings.archive === 's3') return S3Archive.open({ ...s3Options(settings), ...options });
  const dir = settings.archiveDir ?? '';
  const archive = await FolderArchive.open({ dir, ...options });
  watchDisk('archive', dir);
  return archive;
}

/**
 * Opens the archive for a process that only reads from it; null when the settings name none.
 * @throws ConfigError
 */
export async function openArchiveReader(settings: ArchiveReaderSettings): Promise<Archive | null> {
  const { archive } = settings;
  if (archive === undefined) return null;
  const problems = placeProblems(archive, settings);
  if (problems.length > 0) throw new ConfigError('invalid_configuration', problems);
  return archive === 'fs'
    ? FolderArchive.open({ dir: settings.archiveDir ?? '' })
    : S3Archive.open({ ...s3Access(settings), retention: null });
}

function settingsProblems(settings: ArchiveSettings): ConfigProblem[] {
  const problems = placeProblems(settings.archive, settings);
  if (settings.archive === 's3' && settings.isProduction && settings.archiveRetentionMode === 'NONE') {
    problems.push({
      member: 'KERNEL_ARCHIVE_RETENTION_MODE',
      problem: 'NONE is for development only; choose GOVERNANCE or COMPLIANCE',
    });
  }
  return problems;
}

/** What opening needs to know, with or without writing. */
type ArchivePlace = Omit<ArchiveReaderSettings, 'archive'>;

function placeProblems(archive: 'fs' | 's3', settings: ArchivePlace): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (member: string, problem: string): void => void problems.push({ member, problem });
  const { isProduction, s3AccessKeyId, s3SecretAccessKey } = settings;
  if (archive === 'fs') {
    if (isProduction) {
      add(
        'KERNEL_ARCHIVE',
        'fs is for development only: the owner of a folder can change what is in it; use s3',
      );
    } else if (settings.archiveDir === undefined) {
      add('KERNEL_ARCHIVE_DIR', 'is missing; name the folder of the archive, or set KERNEL_ARCHIVE=s3');
    }
    return problems;
  }
  if (settings.s3Bucket === undefined) {
    add('S3_BUCKET', 'is missing; name the bucket of the archive');
  }
  if ((s3AccessKeyId === undefined) !== (s3SecretAccessKey === undefined)) {
    const [missing, given] =
      s3AccessKeyId === undefined
        ? ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']
        : ['S3_SECRET_ACCESS_KEY', 'S3_ACCESS_KEY_ID'];
    add(missing, `is missing although ${given} is set; set both or none`);
  }
  return problems;
}

function s3Options(settings: ArchiveSettings): S3ArchiveOptions {
  const { archiveRetentionMode } = settings;
  return {
    ...s3Access(settings),
    retention:
      archiveRetentionMode === 'NONE'
        ? null
        : { mode: archiveRetentionMode, days: settings.archiveRetentionDays },
  };
}

function s3Access(settings: Omit<ArchivePlace, 'archive'>): Omit<S3ArchiveOptions, 'retention'> {
  const { s3Endpoint, s3CaFile, s3AccessKeyId, s3SecretAccessKey } = settings;
  return {
    bucket: settings.s3Bucket ?? '',
    region: settings.s3Region,
    ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }),
    ...(s3CaFile === undefined ? {} : { ca: readFileSync(s3CaFile) }),
    ...(s3AccessKeyId === undefined || s3SecretAccessKey === undefined
      ? {}
      : { credentials: s3Credentials(s3AccessKeyId, s3SecretAccessKey) }),
  };
}

/** Credentials as they are, or as their files have them when they are asked for. */
function s3Credentials(id: Secret, secret: Secret): NonNullable<S3ArchiveOptions['credentials']> {
  if (typeof id === 'string' && typeof secret === 'string')
    return { accessKeyId: id, secretAccessKey: secret };
  return {
    now: () => ({ accessKeyId: secretText(id), secretAccessKey: secretText(secret) }),
    look: () => {
      for (const one of [id, secret]) if (one instanceof SecretFile) one.look();
    },
  };
}
