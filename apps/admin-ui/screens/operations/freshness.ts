/** How old a sign-in may be for what the contract marks with `x-fresh-sign-in`. */
const FRESH_MS = 5 * 60_000;

/** Whether a sign-in is young enough, by the clock of this device; the kernel decides by its own. */
export function isFresh(authenticatedAt: string | null, now: number): boolean {
  return authenticatedAt !== null && now - Date.parse(authenticatedAt) < FRESH_MS;
}
