import { type JsonValue } from '#evidence';
import { toUnits } from './amounts';

/** Budget in thousandths: one for everything, or one for each pool; a pool that is not named has none. */
export type Budget = { kind: 'whole'; units: number } | { kind: 'pools'; units: ReadonlyMap<string, number> };

const POOL = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;
/** Pools in one budget, and in one account. */
export const MAX_POOLS = 256;
/** A missing budget grants nothing. */
const NO_BUDGET: Budget = { kind: 'whole', units: 0 };

export function isPool(name: string): boolean {
  return POOL.test(name);
}

/** @param invalid makes the error, from the pointer into the manifest and what is wrong there */
export function readBudget(
  value: JsonValue | undefined,
  invalid: (pointer: string, message: string) => Error,
): Budget {
  const read = (amount: JsonValue, pointer: string): number => {
    const units = typeof amount === 'number' && amount >= 0 ? toUnits(amount) : null;
    if (units !== null) return units;
    throw invalid(
      pointer,
      'an amount is a number from 0 to 1,000,000,000,000 with at most three decimal places',
    );
  };
  if (value === undefined || value === null) return NO_BUDGET;
  if (typeof value === 'number') return { kind: 'whole', units: read(value, '/budget') };
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid('/budget', 'budget is an amount, or an object with an amount for each pool');
  }
  const pools = Object.entries(value);
  if (pools.length > MAX_POOLS) throw invalid('/budget', `a budget has at most ${MAX_POOLS} pools`);
  const units = new Map<string, number>();
  for (const [pool, amount] of pools) {
    const pointer = `/budget/${pool.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!isPool(pool)) throw invalid(pointer, 'a pool is named by 1 to 128 letters, digits and "._:/-"');
    units.set(pool, read(amount, pointer));
  }
  return { kind: 'pools', units };
}
