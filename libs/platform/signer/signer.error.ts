import { CodedError } from '#evidence';

/**
 * All refusals of this lib. `signing_unavailable` is the only one that may pass by itself
 * (nothing was signed, try later); all others stay until someone changes the request, a key or the configuration.
 */
export type SignerErrorCode =
  | 'signing_unavailable'
  | 'signing_refused'
  | 'unknown_key'
  | 'queue_full'
  | 'closed'
  | 'invalid_request'
  | 'key_refused'
  /** Another key of this name exists. */
  | 'key_exists'
  | 'refused_in_production'
  | 'misconfigured'
  | 'token_error';

export class SignerError extends CodedError<SignerErrorCode> {}

/** The text of anything thrown, for a sentence that names the cause. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
