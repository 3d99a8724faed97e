import { CodedError } from '#evidence';

/**
 * - `forbidden`: the caller is known, and the matrix says no.
 * - `ambiguous_certificate`: the certificate names no one, or more than one, or not exactly.
 * - `certificate_expired`: it ran out while the connection stayed open.
 * - `certificate_refused`: it was revoked, or its authority is no longer accepted, while the connection stayed open.
 * - `not_authenticated`: no verified certificate at all; behind mutual TLS this does not happen.
 * - `sign_in_required`: no one is signed in, or the session has ended.
 * - `invalid_token`: the access token is not acceptable.
 * - `reauthentication_required`: the command asks for a fresher sign-in.
 * - `foreign_origin`: a page that is not ours sent the request, or did not say whose it is.
 * - `sign_in_unavailable`: what tells who is signed in cannot be asked now.
 * - `undeclared_policy`: the route has neither `@Policy` nor `@PublicRoute`, a mistake in the program.
 * - `invalid_bindings`: the configured role bindings contradict themselves.
 */
export type AccessErrorCode =
  | 'forbidden'
  | 'ambiguous_certificate'
  | 'certificate_expired'
  | 'certificate_refused'
  | 'not_authenticated'
  | 'sign_in_required'
  | 'invalid_token'
  | 'reauthentication_required'
  | 'foreign_origin'
  | 'sign_in_unavailable'
  | 'undeclared_policy'
  | 'invalid_bindings';

export class AccessError extends CodedError<AccessErrorCode> {}
