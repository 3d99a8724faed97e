import { CodedError } from '#evidence';

export type AuditStreamErrorCode =
  /** The transport does not answer; to be tried again. */
  | 'stream_unavailable'
  /** The topic has another number of partitions than there are shards. */
  | 'partitions_mismatch'
  /** The transport no longer has the records behind a position: rebuild from the archive or the store. */
  | 'records_lost'
  /** A setting that cannot be. */
  | 'misconfigured';

export class AuditStreamError extends CodedError<AuditStreamErrorCode> {}
