/**
 * Facts that only the kernel itself may state. A caller's event of such a type, or in such a stream, could pass for a
 * decision of the kernel (an approval, a key) with whoever folds the chain, so it is refused.
 */
export const RESERVED_NOUNS: ReadonlySet<string> = new Set([
  'approver',
  'approver_pool',
  'kernel',
  'legal_hold',
  'manifest',
  'mode',
  'policy',
  'signer',
  'upgrade',
]);

/** The noun of an event type (`manifest.signed` -> `manifest`) or of a stream (`upgrade/upg-42` -> `upgrade`). */
export function nounOf(name: string): string {
  return name.split(/[./]/, 1)[0] ?? name;
}

export function isReserved(name: string): boolean {
  return RESERVED_NOUNS.has(nounOf(name));
}
