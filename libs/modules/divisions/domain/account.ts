import { type AuditEvent } from '#evidence';
import { fromUnits, toUnits } from './amounts';
import { type Budget } from './budget';

/** Allocated part of a division's budget: by pool, then by holder (`agent/a-1`, `division/product`), in thousandths. */
export interface AccountState {
  held: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export const EMPTY_ACCOUNT: AccountState = { held: new Map() };

export interface AllocationPayload {
  division: string;
  /** Holder: the stream of an agent, or of the division itself. */
  holder: string;
  agentId: string | null;
  pool: string;
  /** Positive when granted, negative when released. */
  delta: number;
  reason: string;
  requestedBy: string;
  evalId: string | null;
  /** Holdings of the holder in the pool after the change. */
  held: number;
}

export interface AllocationEvent {
  type: 'allocation.granted' | 'allocation.released';
  payload: AllocationPayload;
}

/** A division has one account: each change depends on its version, so no two can spend the same. */
export function accountStream(divisionId: string): string {
  return `allocation/${divisionId}`;
}

export function heldBy({ held }: AccountState, pool: string, holder: string): number {
  return held.get(pool)?.get(holder) ?? 0;
}

export function allocatedIn({ held }: AccountState, pool: string): number {
  return sum(held.get(pool)?.values() ?? []);
}

export function allocatedInAll({ held }: AccountState): number {
  return sum([...held.values()].flatMap((holders) => [...holders.values()]));
}

/** All that one holder has, by pool. */
export function holdings({ held }: AccountState, holder: string): Map<string, number> {
  return new Map(
    [...held].flatMap(([pool, holders]) => {
      const units = holders.get(holder);
      return units === undefined ? [] : [[pool, units] as const];
    }),
  );
}

/** One budget and its remainder. A pool of null: all pools together. Amounts, not thousandths. */
export interface Balance {
  pool: string | null;
  budget: number;
  allocated: number;
  available: number;
}

/** In the order of the pools' names. */
export function balances(account: AccountState, budget: Budget): Balance[] {
  if (budget.kind === 'whole') return [balance(null, budget.units, allocatedInAll(account))];
  return [...budget.units]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([pool, units]) => balance(pool, units, allocatedIn(account, pool)));
}

/** The first budget that would be less than its allocations; null when there is none. */
export function overdrawn(account: AccountState, budget: Budget): Balance | null {
  const unbudgeted =
    budget.kind === 'whole'
      ? []
      : [...account.held.keys()]
          .filter((pool) => !budget.units.has(pool))
          .map((pool) => balance(pool, 0, allocatedIn(account, pool)));
  return [...balances(account, budget), ...unbudgeted].find(({ available }) => available < 0) ?? null;
}

function balance(pool: string | null, budget: number, allocated: number): Balance {
  return {
    pool,
    budget: fromUnits(budget),
    allocated: fromUnits(allocated),
    available: fromUnits(budget - allocated),
  };
}

/** The account after an event of its stream. */
export function evolveAccount(
  state: AccountState,
  event: Pick<AuditEvent, 'type' | 'payload'>,
): AccountState {
  if (event.type !== 'allocation.granted' && event.type !== 'allocation.released') return state;
  // Only the kernel writes these streams, and it checks what it writes.
  const { pool, holder, held } = event.payload as unknown as AllocationPayload;
  const holders = new Map(state.held.get(pool));
  const units = toUnits(held) ?? 0;
  if (units === 0) holders.delete(holder);
  else holders.set(holder, units);
  const pools = new Map(state.held);
  if (holders.size === 0) pools.delete(pool);
  else pools.set(pool, holders);
  return { held: pools };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
