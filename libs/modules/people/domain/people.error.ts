import { CodedError } from '#evidence';

export type PeopleErrorCode =
  // the identity provider does not answer, or answers what it must not
  | 'provider_unavailable'
  // its keys do not include the one of a signature; they may have been rotated just now
  | 'keys_rotated'
  // the provider said no: the person declined, or is not allowed
  | 'provider_refused'
  // the answer belongs to no sign-in that this browser began, or to one that has ended
  | 'state_mismatch'
  // the answer came from another provider than the one that was asked (RFC 9207)
  | 'issuer_mismatch'
  // the code was used before, has ended, or is not for this kernel
  | 'code_refused'
  // the ID token is not acceptable
  | 'invalid_id_token'
  // the clocks of the two differ by more than is tolerated
  | 'clock_skew'
  // the provider did not ask the person again, although it was asked to
  | 'not_reauthenticated'
  // the claims give no one role
  | 'ambiguous_roles'
  // the logout token is not acceptable, or was used before
  | 'invalid_logout_token'
  // the access token is not acceptable
  | 'invalid_access_token'
  // the sign-in cannot be recorded in the chain now, so there is none
  | 'not_recordable'
  // as many sign-ins are begun as this kernel keeps
  | 'too_many_sign_ins'
  // no session has this id, or not one of the caller's own
  | 'session_not_found'
  // a row was changed by someone else in between
  | 'session_changed';

export class PeopleError extends CodedError<PeopleErrorCode> {}
