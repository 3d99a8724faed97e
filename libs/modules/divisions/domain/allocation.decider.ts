import { assertActive, type AgentState, agentStream } from './agent';
import {
  type AccountState,
  allocatedIn,
  allocatedInAll,
  type AllocationEvent,
  type Balance,
  heldBy,
  holdings,
} from './account';
import { fromUnits, toUnits } from './amounts';
import { type Budget, isPool, MAX_POOLS } from './budget';
import { type DivisionState, divisionStream } from './division';
import { DivisionError } from './division.error';

/** Pool of a request that names none. */
export const DEFAULT_POOL = 'default';

export interface AllocationRequest {
  /** Null for the division itself. */
  agent: AgentState | null;
  pool: string;
  /** Positive to have more, negative to give back. */
  delta: number;
  reason: string;
  requestedBy: string;
  /** The evaluation on which it is granted. */
  evalId: string | null;
}

/**
 * Grants from a division's budget, or takes back. In whatever order requests come, no budget is ever exceeded, and no
 * holder gives back more than it holds.
 * @throws DivisionError `over_budget` with the balance, `nothing_to_release`, `division_not_active`, `agent_retired`,
 * `too_many_pools`, `invalid_amount`
 */
export function decideAllocation(
  account: AccountState,
  division: DivisionState,
  { agent, pool, delta, reason, requestedBy, evalId }: AllocationRequest,
): AllocationEvent {
  const units = toUnits(delta);
  if (units === null || units === 0 || !isPool(pool)) {
    throw new DivisionError(
      'invalid_amount',
      'delta is a number other than zero, with at most three decimal places, and pool a name.',
      { pointer: isPool(pool) ? '/delta' : '/pool' },
    );
  }
  const holder = agent === null ? divisionStream(division.id) : agentStream(agent.id);
  const before = heldBy(account, pool, holder);
  if (units < 0 && before + units < 0) {
    throw new DivisionError(
      'nothing_to_release',
      `${holder} holds ${fromUnits(before)} of the pool ${pool}, and cannot release ${fromUnits(-units)}.`,
      { pool, held: fromUnits(before), requested: fromUnits(-units) },
    );
  }
  if (units > 0) {
    assertActive(division, 'grants nothing');
    if (agent?.state === 'retired') {
      throw new DivisionError('agent_retired', `The agent ${agent.id} is retired, and gets nothing.`);
    }
    assertAvailable(account, division.budget, pool, units);
  }
  return {
    type: units > 0 ? 'allocation.granted' : 'allocation.released',
    payload: {
      division: division.id,
      holder,
      agentId: agent?.id ?? null,
      pool,
      delta: fromUnits(units),
      reason,
      requestedBy,
      evalId,
      held: fromUnits(before + units),
    },
  };
}

/** Gives back everything that an agent holds when it retires, in the same commit. */
export function releaseAll(
  account: AccountState,
  { id, division }: AgentState,
  requestedBy: string,
): AllocationEvent[] {
  const holder = agentStream(id);
  return [...holdings(account, holder)].map(([pool, units]) => ({
    type: 'allocation.released',
    payload: {
      division,
      holder,
      agentId: id,
      pool,
      delta: fromUnits(-units),
      reason: 'the agent was retired',
      requestedBy,
      evalId: null,
      held: 0,
    },
  }));
}

function assertAvailable(account: AccountState, budget: Budget, pool: string, units: number): void {
  if (!account.held.has(pool) && account.held.size >= MAX_POOLS) {
    throw new DivisionError(
      'too_many_pools',
      `The account of this division has ${MAX_POOLS} pools already; use one of them.`,
    );
  }
  const whole = budget.kind === 'whole';
  const limit = whole ? budget.units : (budget.units.get(pool) ?? 0);
  const allocated = whole ? allocatedInAll(account) : allocatedIn(account, pool);
  if (allocated + units <= limit) return;
  const balance: Balance = {
    pool: whole ? null : pool,
    budget: fromUnits(limit),
    allocated: fromUnits(allocated),
    available: fromUnits(limit - allocated),
  };
  throw new DivisionError(
    'over_budget',
    `The ${whole ? 'budget' : `budget of the pool ${pool}`} is ${balance.budget}, of which ${balance.allocated} are allocated: ${balance.available} are left, ${fromUnits(units)} were asked for.`,
    { ...balance, requested: fromUnits(units) },
  );
}
