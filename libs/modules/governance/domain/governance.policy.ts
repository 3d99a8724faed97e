import { type AuditEvent, type JsonObject, type JsonValue } from '#evidence';

/** Periods of validity, in whole hours. */
export interface GovernancePolicy {
  /** From an approval to the moment it no longer counts. */
  approvalTtlHours: number;
  /** From a proposal to its expiry. */
  proposalTtlHours: number;
  /** From an emergency application to its rollback. */
  ratificationHours: number;
}

export const DEFAULT_POLICY: Readonly<GovernancePolicy> = Object.freeze({
  approvalTtlHours: 14 * 24,
  proposalTtlHours: 30 * 24,
  ratificationHours: 48,
});

export const POLICY_STREAM = 'policy/governance';

/** The policy through time; version 0 is the configuration's. */
export interface PolicyState {
  version: number;
  policy: GovernancePolicy;
  /**
   * The last policy that a quorum agreed to. It differs from `policy` while a change that was applied in an emergency
   * waits for its ratification: until then it gives every window, so that no emergency lengthens one.
   */
  settled: GovernancePolicy;
  previous: GovernancePolicy;
  /** The upgrade that must be ratified for it to stay. */
  provisional: string | null;
}

const MEMBERS: readonly (keyof GovernancePolicy)[] = [
  'approvalTtlHours',
  'proposalTtlHours',
  'ratificationHours',
];
/** A year: far beyond any useful value. */
const MAX_HOURS = 366 * 24;

export function initialPolicy(policy: GovernancePolicy): PolicyState {
  return { version: 0, policy, settled: policy, previous: policy, provisional: null };
}

/** Exactly the three members, each a whole number of hours; null when it is not. */
export function readPolicy(value: JsonValue | undefined): GovernancePolicy | null {
  const policy = recordedPolicy(value);
  const whole =
    policy !== null && MEMBERS.every((name) => Number.isInteger(policy[name]) && policy[name] >= 1);
  return whole ? policy : null;
}

/** Policy in an event: the configuration's own, to which a rollback may return, may be seconds in development. */
function recordedPolicy(value: JsonValue | undefined): GovernancePolicy | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const object: JsonObject = value;
  const fits =
    Object.keys(object).length === MEMBERS.length &&
    MEMBERS.every((name) => {
      const hours = object[name];
      return typeof hours === 'number' && hours > 0 && hours <= MAX_HOURS;
    });
  return fits ? (object as unknown as GovernancePolicy) : null;
}

export function evolvePolicy(
  state: PolicyState,
  { type, stream, payload }: Pick<AuditEvent, 'type' | 'stream' | 'payload'>,
): PolicyState {
  if (stream !== POLICY_STREAM) return state;
  if (type === 'policy.confirmed') return { ...state, settled: state.policy, provisional: null };
  const policy = type === 'policy.changed' ? recordedPolicy(payload['policy']) : null;
  if (policy === null) return state;
  const provisional = payload['provisional'] === true ? (payload['upgradeId'] as string) : null;
  return {
    version: state.version + 1,
    policy,
    settled: provisional === null ? policy : state.settled,
    previous: state.policy,
    provisional,
  };
}
