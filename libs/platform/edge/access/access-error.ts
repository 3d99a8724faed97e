import { CodedError } from '#evidence';

/**
 * - `forbidden`: the caller is known, and the matrix says no.
 * - `ambiguous_certificate`: the certificate names no one, or more than one, or not exactly.
 * - `certificate_expired`: it ran out while the connection stayed open.
 * - `certificate_refused`: it was revoked, or its authority is no longer accepted, while the connection stayed open.
 * - `not_authenticated`: no verified certificate at all; behind mutual TLS this does not happen.
 * - `undeclared_policy`: the route has neither `@Policy` nor `@PublicRoute`, a mistake in the program.
 * - `invalid_bindings`: the configured role bindings contradict themselves.
 */
export type AccessErrorCode =
  | 'forbidden'
  | 'ambiguous_certificate'
  | 'certificate_expired'
  | 'certificate_refused'
  | 'not_authenticated'
  | 'undeclared_policy'
  | 'invalid_bindings';

export class AccessError extends CodedError<AccessErrorCode> {}
