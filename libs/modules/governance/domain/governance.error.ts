import { CodedError } from '#evidence';

/**
 * - `upgrade_not_found`, `upgrade_exists`: by the id in the manifest
 * - `invalid_manifest`: it lacks a member its type needs, or contradicts the state in force; `pointer` says where
 * - `patch_mismatch`: the artifact's digest is not the manifest's `patchSha256`
 * - `not_the_approver`: the caller is not the person in whose name the signature is given
 * - `self_approval`: a person who proposed an upgrade, or applied it in an emergency, has no say in it
 * - `self_check`: a check of an upgrade is reported by another principal than the one that proposed it
 * - `invalid_signature`: the signature is not by a registered key of the approver over exactly this record
 * - `invalid_approved_at`: the time of the signature lies in the future, before the proposal, or too far back
 * - `key_not_valid`: the approver has no such key, or it was revoked
 * - `approver_already_signed`: an earlier signature of this approver still counts
 * - `upgrade_already_applied`, `upgrade_closed`: too late; `upgradeStatus` says how it ended
 * - `not_emergency`: only an upgrade applied in an emergency can be ratified
 * - `insufficient_quorum`, `checks_missing`: the apply lacks signatures or checks
 * - `unknown_check`: the manifest names no such precondition
 * - `only_services`: only a service reports a check
 * - `not_the_proposer`: only the proposer withdraws an upgrade
 * - `not_applied`: only an applied upgrade can be completed or undone
 * - `superseded`: the state it is based on, or undoes, is no longer in force
 * - `unsettled`: a change made in an emergency waits for its ratification first
 * - `below_threshold`: fewer approvers than the threshold could sign anything afterwards
 * - `last_key`: it would end the key that a purpose is signed with; rotate to another one first
 * - `invalid_registration`: the authenticator's response is not valid, or its challenge is used up
 * - `synced_passkey`: the passkey may be copied to other devices, and this kernel refuses such ones
 * - `credential_registered`: the pool already has this key, or it was revoked
 * - `webauthn_not_configured`: no credentials are registered here
 * - `notification_not_found`: no such notification is waiting or was given up
 * - `no_pool`: this kernel has no approver pool yet
 */
export type GovernanceErrorCode =
  | 'upgrade_not_found'
  | 'upgrade_exists'
  | 'invalid_manifest'
  | 'patch_mismatch'
  | 'not_the_approver'
  | 'self_approval'
  | 'self_check'
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
  | 'below_threshold'
  | 'last_key'
  | 'invalid_registration'
  | 'credential_registered'
  | 'synced_passkey'
  | 'webauthn_not_configured'
  | 'notification_not_found'
  | 'no_pool';

export class GovernanceError extends CodedError<GovernanceErrorCode> {}
