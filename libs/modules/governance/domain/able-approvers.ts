import { type ApproverPool, keyMaterial, type PoolState } from '#evidence';
import { GovernanceError } from './governance.error';

/** Ids of the approvers who can sign anything at all: they have a principal to call with, and a key that is not revoked. */
export function ableApprovers({ approvers }: ApproverPool, revoked: PoolState['revoked']): string[] {
  return approvers
    .filter(
      ({ principals, keys }) => principals.length > 0 && keys.some((key) => !revoked.has(keyMaterial(key))),
    )
    .map(({ id }) => id);
}

/**
 * Decides whether a key of an approver may be revoked. Anyone who may revoke does it alone, so it must not leave a pool
 * that can decide nothing any more: with a stolen key in such a pool the way is an upgrade of the pool, in an emergency
 * if need be, which the others ratify.
 * @param principal the caller who may revoke only their own keys; null when any
 * @returns the key's material; null when it is revoked already
 * @throws GovernanceError `not_the_approver`, `key_not_valid`, `below_threshold`
 */
export function decideRevocation(
  state: PoolState,
  { approverId, keyId, principal }: { approverId: string; keyId: string; principal: string | null },
): string | null {
  const pools = state.provisional === null ? [state.inForce] : [state.inForce, state.settled];
  const entries = pools.flatMap(({ pool }) => pool.approvers.filter(({ id }) => id === approverId));
  if (principal !== null && !entries.some(({ principals }) => principals.includes(principal))) {
    throw new GovernanceError('not_the_approver', `"${principal}" is not the approver ${approverId}.`);
  }
  const key = entries.flatMap(({ keys }) => keys).find((candidate) => candidate.keyId === keyId);
  if (key === undefined) {
    throw new GovernanceError('key_not_valid', `The approver ${approverId} has no key ${keyId}.`);
  }
  const material = keyMaterial(key);
  if (state.revoked.has(material)) return null;
  const revoked = new Map(state.revoked).set(material, { at: '', reason: '' });
  for (const { version, pool } of pools) {
    const remaining = ableApprovers(pool, revoked).length;
    // A second key of someone who has another one takes no one away.
    if (remaining >= pool.threshold || remaining === ableApprovers(pool, state.revoked).length) continue;
    throw new GovernanceError(
      'below_threshold',
      `Without ${keyId} only ${remaining} approvers of the pool at version ${version} could sign, and ${pool.threshold} have to; ` +
        'replace the key by an upgrade of type approver_pool, applied in an emergency if it is stolen.',
      { threshold: pool.threshold, remaining },
    );
  }
  return material;
}
