import { CodedError } from '#evidence';

/**
 * - `upgrade_not_found`, `upgrade_exists`: by the id in the manifest
 * - `invalid_manifest`: it lacks what its type needs, or contradicts what is in force; `pointer` says where
 * - `patch_mismatch`: the artifact's digest is not the manifest's `patchSha256`
 * - `not_the_approver`: the caller is not the person in whose name the signature is given
 * - `self_approval`: who proposed an upgrade, or applied it in an emergency, has no say in it
 * - `invalid_signature`: the signature is not by a registered key of the approver over exactly this record
 * - `invalid_approved_at`: the time of the signature lies in the future, before the proposal, or too far back
 * - `key_not_valid`: the approver has no such key, or it was revoked
 * - `approver_already_signed`: an earlier signature of this approver still counts
 * - `upgrade_already_applied`, `upgrade_closed`: too late; `upgradeStatus` says what became of it
 * - `not_emergency`: ratification is for what was applied in an emergency
 * - `insufficient_quorum`, `checks_missing`: what an apply lacks
 * - `unknown_check`: the manifest names no such precondition
 * - `only_services`: a check is reported by a service
 * - `not_the_proposer`: only who proposed an upgrade withdraws it
 * - `not_applied`: only what was applied can be completed or undone
 * - `superseded`: what it was based on, or undoes, is not in force any more
 * - `unsettled`: a change made in an emergency waits for its ratification first
 * - `invalid_registration`: what an authenticator made does not hold, or its challenge is used up
 * - `credential_registered`: the pool has this key already, or had it revoked
 * - `webauthn_not_configured`: no credentials are registered here
 * - `notification_not_found`: no such notification waits or was given up
 * - `no_pool`: this kernel has no approver pool yet
 */
export type GovernanceErrorCode =
  | 'upgrade_not_found'
  | 'upgrade_exists'
  | 'invalid_manifest'
  | 'patch_mismatch'
  | 'not_the_approver'
  | 'self_approval'
  | 'invalid_signature'
  | 'invalid_approved_at'
  | 'key_not_valid'
  | 'approver_already_signed'
  | 'upgrade_already_applied'
  | 'upgrade_closed'
  | 'not_emergency'
  | 'insufficient_quorum'
  | 'checks_missing'
  | 'unknown_check'
  | 'only_services'
  | 'not_the_proposer'
  | 'not_applied'
  | 'superseded'
  | 'unsettled'
  | 'invalid_registration'
  | 'credential_registered'
  | 'webauthn_not_configured'
  | 'notification_not_found'
  | 'no_pool';

export class GovernanceError extends CodedError<GovernanceErrorCode> {}
