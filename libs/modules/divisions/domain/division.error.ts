import { CodedError } from '#evidence';

/**
 * - `division_not_found`, `agent_not_found`, `agent_exists`: by id
 * - `invalid_division`: the manifest does not fit; `pointer` says where
 * - `stale_version`: it is based on another version than the one in force
 * - `division_retired`, `division_not_active`: in that status it takes no change, or no new agents and allocations
 * - `budget_below_allocated`, `over_budget`: more would be allocated than the budget has
 * - `too_many_pools`: the account has as many pools as it may have
 * - `nothing_to_release`: the holder has less of the pool than is to be released
 * - `invalid_amount`: not a number with at most three decimal places, or zero
 * - `invalid_template`: it is not a template for an agent, or belongs to another division
 * - `invalid_signature`: this kernel did not sign the template with a key that was valid then
 * - `template_not_recorded`: this kernel's chain does not have the signature
 * - `transition_not_allowed`: the agent's state does not lead there
 * - `agent_retired`: the agent is retired permanently
 * - `eval_not_found`: the agent has no such evaluation
 */
export type DivisionErrorCode =
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
  | 'invalid_signature'
  | 'template_not_recorded'
  | 'transition_not_allowed'
  | 'agent_retired'
  | 'eval_not_found';

export class DivisionError extends CodedError<DivisionErrorCode> {}
