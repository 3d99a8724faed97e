import { CodedError } from '#evidence';

/**
 * - `division_not_found`, `agent_not_found`, `agent_exists`: by id
 * - `invalid_division`: the manifest does not fit; `pointer` says where
 * - `stale_version`: it is based on another version than the one in force
 * - `division_retired`, `division_not_active`: in that status it takes no change, or no new agents and allocations
 * - `budget_below_allocated`, `over_budget`: more would be allocated than there is
 * - `too_many_pools`: the account has as many pools as it may have
 * - `nothing_to_release`: the holder has less of the pool than is to be released
 * - `invalid_amount`: not a number with at most three decimal places, or zero
 * - `invalid_template`: it is no template for an agent, or one of another division
 * - `template_not_recorded`: this kernel's chain does not have the signature
 * - `transition_not_allowed`: the agent's state does not lead there
 * - `agent_retired`: it has come to its end
 * - `eval_not_found`: the agent has no such evaluation
 * - `node_not_found`, `ambiguous_node`: what a trace is asked for
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
 * - `contended`: others were faster again and again
 */
export type GovernanceErrorCode =
  | 'division_not_found'
  | 'invalid_division'
  | 'stale_version'
  | 'division_retired'
  | 'division_not_active'
  | 'budget_below_allocated'
  | 'over_budget'
  | 'too_many_pools'
  | 'nothing_to_release'
  | 'invalid_amount'
  | 'agent_not_found'
  | 'agent_exists'
  | 'invalid_template'
  | 'template_not_recorded'
  | 'transition_not_allowed'
  | 'agent_retired'
  | 'eval_not_found'
  | 'node_not_found'
  | 'ambiguous_node'
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
  | 'no_pool'
  | 'contended';

export class GovernanceError extends CodedError<GovernanceErrorCode> {}
