import { CodedError } from '#evidence';

export type AuditStreamErrorCode =
  /** The transport does not answer; retry. */
  | 'stream_unavailable'
  /** The topic has another number of partitions than there are shards. */
  | 'partitions_mismatch'
  /** The transport no longer has the records after a position: rebuild from the archive or the store. */
  | 'records_lost'
  /** An impossible setting. */
  | 'misconfigured';

export class AuditStreamError extends CodedError<AuditStreamErrorCode> {}
