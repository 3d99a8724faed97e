import { type AuditEvent } from '#evidence';
import { type Allocation } from '#openapi/kernel';
import { type AllocationPayload } from './domain/account';

/** A grant or a release as callers see it. */
export function allocationView({ id, type, ts, shard, seq, payload }: AuditEvent): Allocation {
  // Only the kernel writes these streams, and it checks what it writes.
  const { division, agentId, pool, delta, reason, requestedBy, evalId, held } =
    payload as unknown as AllocationPayload;
  return {
    id,
    /** Id known to users: the agent's, or the division's. */
    entityId: agentId ?? division,
    divisionId: division,
    agentId,
    pool,
    delta,
    reason,
    requestedBy,
    evalId,
    held,
    status: type === 'allocation.granted' ? 'granted' : 'released',
    ts,
    position: `${shard}:${seq}`,
  };
}
