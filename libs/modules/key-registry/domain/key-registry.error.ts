import { CodedError } from '#evidence';

/**
 * - `signer_not_found`: no key of that name is registered
 * - `signer_not_active`: it has ended, so nothing can take its place
 * - `signer_exists`: name or public key is already registered
 * - `wrong_purpose`: the new key lacks a purpose of the old one
 * - `key_in_force`: it cannot end before another one is in force
 * - `overlap`: its successor is too new; `details.retryAfterS` says how long
 * - `invalid_since`: the time or position from which on a key is in doubt
 * - `no_candidate`: the signing backend holds no new key that fits
 * - `key_not_made`: the signing backend makes no such key; the sentence says why
 * - `quorum_needed`: this key is rotated only by an upgrade of type `signer_rotation`
 */
export type KeyRegistryErrorCode =
  | 'signer_not_found'
  | 'signer_not_active'
  | 'signer_exists'
  | 'wrong_purpose'
  | 'key_in_force'
  | 'overlap'
  | 'invalid_since'
  | 'no_candidate'
  | 'key_not_made'
  | 'quorum_needed';

export class KeyRegistryError extends CodedError<KeyRegistryErrorCode> {}
