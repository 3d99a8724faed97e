/** Whether a value is an integer from `least` on that a double holds exactly. */
export function isCount(value: unknown, least: number): value is number {
  return typeof value === 'number' && value >= least && Number.isSafeInteger(value);
}
