import { CodedError } from '#evidence';

/**
 * - `unreachable`: no connection, so nothing was sent
 * - `lost`: the connection broke, or the server disappeared, while a statement ran; its effect is unknown
 * - `busy`: the server rolled back, and a retry may succeed (deadlock, failover, out of connections)
 * - `unique_violation`: rolled back; `constraint` says which
 * - `no_partition`: rolled back; the table has no partition for a row
 * - `invalid_value`: rolled back; a value is none of its type (SQLSTATE class 22), which says nothing about the server
 * - `refused`: rolled back; a retry will not help
 */
export type PostgresErrorCode =
  'unreachable' | 'lost' | 'busy' | 'unique_violation' | 'no_partition' | 'invalid_value' | 'refused';

/** A failure of PostgreSQL, classified by what is known about the outcome. */
export class PostgresError extends CodedError<PostgresErrorCode> {
  constructor(
    code: PostgresErrorCode,
    message: string,
    readonly constraint: string | undefined,
    options?: ErrorOptions,
  ) {
    super(code, message, {}, options);
  }
}

/** Rolled back, worth a retry. SQLSTATE classes and codes of PostgreSQL's appendix A. */
const BUSY = [
  /^08/, // connection exception
  /^40/, // transaction rollback: serialization failure, deadlock
  /^53/, // insufficient resources: disk full, out of memory, too many connections
  /^25006$/, // read only: the server is a standby, or became one
  /^55P03$/, // lock not available
  /^57/, // operator intervention: cancelled, shutting down, starting up
];

export function postgresError(cause: unknown, otherwise: 'unreachable' | 'lost' = 'lost'): PostgresError {
  if (cause instanceof PostgresError) return cause;
  const { code, severity, constraint, message } = cause as Error & Record<string, string | undefined>;
  const text = message ?? String(cause);
  // A SQLSTATE with severity ERROR comes from a server that lives and has rolled back. FATAL ends the session, and can
  // come after the commit but before its answer.
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && severity !== undefined) {
    if (severity !== 'ERROR') return new PostgresError(otherwise, text, constraint, { cause });
    if (code === '23505') return new PostgresError('unique_violation', text, constraint, { cause });
    // A check that failed has a name; that a row fits into no partition, or not into the one found for it, has none.
    if (code === '23514' && constraint === undefined) {
      return new PostgresError('no_partition', text, undefined, { cause });
    }
    if (code.startsWith('22')) return new PostgresError('invalid_value', text, constraint, { cause });
    const kind = BUSY.some((pattern) => pattern.test(code)) ? 'busy' : 'refused';
    return new PostgresError(kind, text, constraint, { cause });
  }
  return new PostgresError(otherwise, text, undefined, { cause });
}

export function connectionLost(message: string): PostgresError {
  return new PostgresError('lost', message, undefined);
}
