/**
 * The archive: one port, an S3 bucket with object lock or a folder behind it (docs/adr/0060).
 * It stores and proves what it is given, and decides neither what nor when: that is apps/archiver.
 */
export {
  DEFAULT_PARALLEL,
  MAX_OBJECT_BYTES,
  type Archive,
  type ArchiveObject,
  type ArchiveObserver,
  type FinishedOperation,
  type ListedObject,
  type ListOptions,
  type PutOutcome,
  type Retention,
  type RetentionMode,
} from './archive';
export { archiveSettings, type ArchiveSettings } from './archive-settings';
export { openArchive, type OpenArchiveOptions } from './open-archive';
export { ArchiveError, type ArchiveErrorCode } from './archive.error';
export { archivedEvent, assertArchiveKey } from './archive-key';
export { DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS, type RetentionPolicy } from './retention-policy';
export { FolderArchive, type FolderArchiveOptions } from './folder/folder-archive';
export { S3Archive, type S3ArchiveOptions } from './s3/s3-archive';
export { DEFAULT_ATTEMPT_LIMITS, type AttemptLimits } from './s3/attempts';
