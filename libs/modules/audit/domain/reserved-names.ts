/**
 * Facts that only the kernel itself may state. To a reader of the chain, a caller's event of such a type, or in such a
 * stream, could pass for a decision of the kernel (an approval, a key), so it is refused.
 */
export const RESERVED_NOUNS: ReadonlySet<string> = new Set([
  'approver',
  'approver_pool',
  'kernel',
  'legal_hold',
  'manifest',
  'mode',
  'notification',
  'session',
  'signer',
  'signer_age',
  'signer_key',
  'store',
  'upgrade',
  'webhook',
]);

/**
 * Nouns whose streams are the kernel's, while callers have facts of their own about such things (`agent.pinged`): only
 * the types that the kernel itself writes are refused.
 */
const RESERVED_STREAM_NOUNS: ReadonlySet<string> = new Set([
  'agent',
  'allocation',
  'division',
  'eval',
  'policy',
]);
export const RESERVED_TYPES: ReadonlySet<string> = new Set([
  'agent.failed',
  'agent.paused',
  'agent.resumed',
  'agent.retired',
  'agent.spawned',
  'agent.started',
  'agent.stopped',
  'allocation.granted',
  'allocation.released',
  'division.registered',
  'division.updated',
  'eval.submitted',
  'policy.changed',
  'policy.confirmed',
]);

/** The noun of an event type (`manifest.signed` -> `manifest`) or of a stream (`upgrade/upg-42` -> `upgrade`). */
export function nounOf(name: string): string {
  return name.split(/[./]/, 1)[0] ?? name;
}

export function isReservedType(type: string): boolean {
  // A later version of a fact is the same fact.
  return RESERVED_NOUNS.has(nounOf(type)) || RESERVED_TYPES.has(type.replace(/\.v\d+$/, ''));
}

export function isReservedStream(stream: string): boolean {
  const noun = nounOf(stream);
  return RESERVED_NOUNS.has(noun) || RESERVED_STREAM_NOUNS.has(noun);
}
