import { type Upgrade } from '../../api/queries';
import { type Approvers, type PoolMember } from './upgrade-queries';

export type Standing = 'counts' | 'rejects' | 'may-sign' | 'may-not';

/** Where one approver stands about an upgrade, as a row of a table. */
export interface Signer {
  readonly id: string;
  readonly name: string;
  readonly standing: Standing;
  /** A sentence: what they did, or why they may not. */
  readonly why: string;
}

type NotCounted = Upgrade['quorum']['notCounted'][number]['reason'];

/** Reasons for which a signature does not count, as sentences. */
export const NOT_COUNTED: Readonly<Record<NotCounted, string>> = {
  another_action: 'The signature is for something else.',
  expired: 'The signature is too old and has expired.',
  not_in_pool: 'They are not in the pool any more.',
  not_in_settled_pool: 'They came with a change of the pool that is not ratified.',
  key_not_registered: 'The key that signed is not in the pool any more.',
  key_revoked: 'The key that signed was revoked.',
  involved: 'They proposed it, or applied it in an emergency, and so have no say in it.',
  signed_again: 'They have signed again since; the newer signature is looked at.',
  key_counted_already: 'The same key was counted for somebody else.',
};

/** The pool whose members decide: while a change of the pool is not ratified, the one before it decides about that change. */
export function decidingPool(upgradeId: string, pool: Approvers): readonly PoolMember[] {
  return pool.provisional === upgradeId && pool.settled !== null ? pool.settled.approvers : pool.approvers;
}

function usableKeys({ keys, revokedKeys }: PoolMember): number {
  return keys.filter(({ keyId }) => !revokedKeys.includes(keyId)).length;
}

/** Everybody who has a part in the decision: who counts, who rejects, who may still sign, and who may not and why. */
export function signersOf(upgrade: Upgrade, pool: Approvers): Signer[] {
  const { quorum, approvals, application, proposedBy } = upgrade;
  const members = decidingPool(upgrade.upgradeId, pool);
  const settled = pool.provisional === null ? null : pool.settled;
  const ids = new Set([
    ...quorum.approvers,
    ...quorum.rejection.approvers,
    ...members.map(({ id }) => id),
    ...quorum.notCounted.map(({ approverId }) => approverId),
  ]);
  return [...ids].map((id): Signer => {
    const member = members.find((one) => one.id === id);
    const name = member?.name ?? id;
    const last = approvals.findLast(({ approverId }) => approverId === id);
    const noted = last?.notes === null || last === undefined ? '' : ` “${last.notes}”`;
    if (quorum.approvers.includes(id))
      return { id, name, standing: 'counts', why: `Signed to ${quorum.action} it.${noted}` };
    if (quorum.rejection.approvers.includes(id))
      return { id, name, standing: 'rejects', why: `Signed to reject it.${noted}` };
    const ignored = quorum.notCounted.findLast(({ approverId }) => approverId === id);
    const earlier = ignored === undefined ? '' : NOT_COUNTED[ignored.reason];
    if (quorum.open.includes(id))
      return {
        id,
        name,
        standing: 'may-sign',
        why: earlier === '' ? 'Has not signed.' : `${earlier} May sign again.`,
      };
    const why = ((): string => {
      if (earlier !== '') return earlier;
      if (member === undefined) return NOT_COUNTED.not_in_pool;
      const isInvolved = [proposedBy, application?.['emergency'] === true ? application['by'] : null].some(
        (principal) => typeof principal === 'string' && member.principals.includes(principal),
      );
      if (isInvolved) return NOT_COUNTED.involved;
      if (usableKeys(member) === 0) return 'All their keys are revoked.';
      if (settled !== null && !settled.approvers.some((one) => one.id === id))
        return NOT_COUNTED.not_in_settled_pool;
      return 'Did not sign before it was decided.';
    })();
    return { id, name, standing: 'may-not', why };
  });
}
