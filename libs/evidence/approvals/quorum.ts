import { type ApprovalAction, type ApprovalRecord } from './approval-record';
import {
  type Approver,
  type ApproverKey,
  keyMaterial,
  type PoolState,
  type VersionedPool,
} from './approver-pool';

/** People who have another part in an upgrade, and so have no say in it. */
export interface Involved {
  /**
   * Principals that called: to propose it, and to apply it in an emergency. No names that they only claimed: a claim
   * must not take away the vote of the person that it names.
   */
  readonly principals: ReadonlySet<string>;
}

export interface QuorumQuestion {
  action: ApprovalAction;
  /** Recorded signatures, in the order of the chain; their signatures were verified. */
  records: readonly ApprovalRecord[];
  pool: PoolState;
  /** The threshold of the pool in force when it was proposed: a later pool can only demand more. */
  threshold: number;
  involved: Involved;
  /** Milliseconds since 1970. */
  now: number;
  /** The upgrade is the change of the pool that is in force provisionally: only the settled pool decides. */
  aboutPool?: boolean;
}

export type NotCountedReason =
  | 'another_action'
  | 'expired'
  | 'not_in_pool'
  | 'not_in_settled_pool'
  | 'key_not_registered'
  | 'key_revoked'
  | 'involved'
  | 'signed_again'
  | 'key_counted_already';

/** The approvers who count, those who do not and why, and how many are missing. */
export interface Quorum {
  reached: boolean;
  required: number;
  /** Ids of the approvers that count, in the order of their signatures. */
  approvers: string[];
  missing: number;
  notCounted: { approverId: string; keyId: string; action: ApprovalAction; reason: NotCountedReason }[];
  /** Ids of approvers whose signature would still count. */
  open: string[];
  /** Largest number of approvers that could be counted. */
  eligible: number;
}

/** The pools that make a decision: a member of all of them counts, and the highest threshold is demanded. */
export function decidingPools(
  { inForce, settled, provisional }: PoolState,
  aboutPool = false,
): VersionedPool[] {
  if (provisional === null) return [inForce];
  return aboutPool ? [settled] : [inForce, settled];
}

export function requiredQuorum(pool: PoolState, threshold: number, aboutPool = false): number {
  return Math.max(threshold, ...decidingPools(pool, aboutPool).map((one) => one.pool.threshold));
}

/** The approver and their key, if both count in every deciding pool; otherwise why not. */
export function findSigner(
  state: PoolState,
  approverId: string,
  keyId: string,
  aboutPool = false,
): { approver: Approver; key: ApproverKey; material: string } | { refusal: NotCountedReason } {
  const [first, ...others] = decidingPools(state, aboutPool);
  const approver = first?.pool.approvers.find(({ id }) => id === approverId);
  if (approver === undefined) return { refusal: 'not_in_pool' };
  const key = approver.keys.find((candidate) => candidate.keyId === keyId);
  if (key === undefined) return { refusal: 'key_not_registered' };
  const material = keyMaterial(key);
  if (state.revoked.has(material)) return { refusal: 'key_revoked' };
  const everywhere = others.every(({ pool }) =>
    pool.approvers.some(
      ({ id, keys }) => id === approverId && keys.some((other) => keyMaterial(other) === material),
    ),
  );
  return everywhere ? { approver, key, material } : { refusal: 'not_in_settled_pool' };
}

export function isInvolved({ principals }: Approver, involved: Involved): boolean {
  return principals.some((principal) => involved.principals.has(principal));
}

/** Counts distinct people with distinct keys who may decide now (docs/spec/approval.md, section 5). */
export function countQuorum(question: QuorumQuestion): Quorum {
  const { action, records, pool, involved, aboutPool = false } = question;
  const required = requiredQuorum(pool, question.threshold, aboutPool);
  const now = new Date(question.now).toISOString();
  const approvers: string[] = [];
  const materials = new Set<string>();
  const notCounted: Quorum['notCounted'] = [];
  const newest = new Map(records.map(({ approverId }, at) => [approverId, at]));
  for (const [at, record] of records.entries()) {
    const reason = ((): NotCountedReason | null => {
      if (record.action !== action) return 'another_action';
      // The newest signature of a person is the one that counts.
      if (newest.get(record.approverId) !== at) return 'signed_again';
      if (record.expiresAt <= now) return 'expired';
      const signer = findSigner(pool, record.approverId, record.keyId, aboutPool);
      if ('refusal' in signer) return signer.refusal;
      if (isInvolved(signer.approver, involved)) return 'involved';
      if (materials.has(signer.material)) return 'key_counted_already';
      materials.add(signer.material);
      return null;
    })();
    const { approverId, keyId } = record;
    if (reason === null) approvers.push(approverId);
    else notCounted.push({ approverId, keyId, action: record.action, reason });
  }
  const able = eligibleApprovers(pool, involved, aboutPool);
  const missing = Math.max(0, required - approvers.length);
  return {
    reached: missing === 0,
    required,
    approvers,
    missing,
    notCounted,
    open: able.filter((id) => !approvers.includes(id)),
    eligible: able.length,
  };
}

/** Ids of the approvers who could be counted with one key or another. */
export function eligibleApprovers(pool: PoolState, involved: Involved, aboutPool = false): string[] {
  const [first] = decidingPools(pool, aboutPool);
  return (first?.pool.approvers ?? [])
    .filter((approver) => !isInvolved(approver, involved))
    .filter(({ id, keys }) =>
      keys.some(({ keyId }) => !('refusal' in findSigner(pool, id, keyId, aboutPool))),
    )
    .map(({ id }) => id);
}
