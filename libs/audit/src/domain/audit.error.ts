export type AuditErrorCode =
  | 'reserved_name'
  | 'event_not_found'
  | 'unknown_shard'
  | 'invalid_position'
  | 'invalid_range'
  | 'position_unavailable';

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
