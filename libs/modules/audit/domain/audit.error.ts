export type AuditErrorCode =
  | 'reserved_name'
  | 'event_not_found'
  | 'unknown_shard'
  | 'invalid_range'
  | 'legal_hold_in_force'
  | 'legal_hold_not_in_force';

export class AuditError extends Error {
  override readonly name = 'AuditError';
  constructor(
    readonly code: AuditErrorCode,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}
