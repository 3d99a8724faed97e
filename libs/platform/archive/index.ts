/**
 * The archive: one port, with an S3 bucket with object lock or a folder behind it (docs/adr/0060).
 * It stores and proves what it is given; apps/archiver decides what and when.
 */
export {
  type Archive,
  type ArchiveObject,
  type ArchiveObserver,
  type FinishedOperation,
  type PutOutcome,
  type ServedAs,
} from './archive';
export { archiveReaderSettings, archiveSettings } from './archive-settings';
export { openArchive, openArchiveReader } from './open-archive';
export { ArchiveError } from './archive.error';
export { archivedEvent } from './archive-key';
export { FolderArchive } from './folder/folder-archive';
export { type BucketReader, openBucketReader } from './s3/bucket-reader';
export { S3Archive } from './s3/s3-archive';
export { ArchiveProtection } from './archive-protection';
export { ArchiveWatch } from './archive-watch';
export { coverOf } from './covered-object';
