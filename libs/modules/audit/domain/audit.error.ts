import { CodedError } from '#evidence';

export type AuditErrorCode =
  | 'reserved_name'
  | 'event_not_found'
  | 'audit_run_not_found'
  | 'unknown_shard'
  | 'too_many_streams'
  | 'invalid_event_id'
  // the published log
  | 'not_in_log_yet'
  | 'tile_not_found'
  | 'log_unavailable'
  | 'invalid_range'
  | 'legal_hold_in_force'
  | 'legal_hold_not_in_force'
  // the node of a trace
  | 'node_not_found'
  | 'ambiguous_node';

export class AuditError extends CodedError<AuditErrorCode> {}
