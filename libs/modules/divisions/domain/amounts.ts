/**
 * Amounts of budgets and allocations are decimal numbers with at most three places (cents, mills, thousandths of a GPU
 * hour), counted in thousandths: sums of whole numbers are exact, those of 0.1 and 0.2 are not.
 */
const UNITS = 1_000;
/** A million millions: in thousandths still far below 2^53, whatever is added up. */
export const MAX_AMOUNT = 1_000_000_000_000;

/** Amount in thousandths; null for one that has more places, or exceeds the largest amount. */
export function toUnits(amount: number): number | null {
  if (!Number.isFinite(amount) || Math.abs(amount) > MAX_AMOUNT) return null;
  const units = Math.round(amount * UNITS);
  // It must be the double nearest to the decimal; otherwise the number was another decimal.
  return fromUnits(units) === amount ? units : null;
}

export function fromUnits(units: number): number {
  // Zero has no sign.
  return units === 0 ? 0 : units / UNITS;
}
