import {
  type ApprovalAction,
  type ApprovalRecord,
  countQuorum,
  decidingPools,
  type Involved,
  type PoolState,
  type Quorum,
  requiredQuorum,
} from '#evidence';
import { type Governance } from './plan-effect';
import { type RecordedStatus, type UpgradeState } from './upgrade.state';

/**
 * The callers with a part in the upgrade: who proposed it, and who applied it in an emergency. In whose name they say
 * they did is a claim, and takes no one's vote away.
 */
export function involvedIn({ proposer, application }: UpgradeState): Involved {
  const principals = new Set([proposer]);
  if (application?.emergency) principals.add(application.by);
  return { principals };
}

/** Whether this upgrade made the provisional pool: then the settled pool decides whether it stays. */
export function isAboutPool(state: UpgradeState, pool: PoolState): boolean {
  return pool.provisional === state.upgradeId;
}

/** Whether the signatures decide about the application, or about whether an emergency application stays. */
export function phaseOf({ status }: UpgradeState): 'decision' | 'ratification' {
  return status === 'emergency_applied' ? 'ratification' : 'decision';
}

/** The approvers who count for an action now, those who do not and why, and how many are missing. */
export function quorumFor(
  state: UpgradeState,
  action: ApprovalAction,
  { pool }: Pick<Governance, 'pool'>,
  now: number,
): Quorum {
  const phase = phaseOf(state);
  return countQuorum({
    action,
    records: state.approvals.filter((one) => one.phase === phase).map(({ record }) => record),
    pool,
    threshold: state.pool.threshold,
    involved: involvedIn(state),
    now,
    aboutPool: isAboutPool(state, pool),
  });
}

/** The record that an approver signs now; the same bytes on every machine that has the manifest. */
export function recordToSign(
  state: UpgradeState,
  { pool }: Pick<Governance, 'pool'>,
  origin: string,
  signing: Pick<ApprovalRecord, 'action' | 'approverId' | 'keyId' | 'approvedAt' | 'notes'>,
): ApprovalRecord {
  const aboutPool = isAboutPool(state, pool);
  const [first] = decidingPools(pool, aboutPool);
  return {
    origin,
    upgradeId: state.upgradeId,
    manifestSha256: state.manifestSha256,
    patchSha256: state.patchSha256,
    action: signing.action,
    approverId: signing.approverId,
    keyId: signing.keyId,
    poolVersion: first?.version ?? 0,
    threshold: requiredQuorum(pool, state.pool.threshold, aboutPool),
    approvedAt: signing.approvedAt,
    expiresAt: new Date(Date.parse(signing.approvedAt) + state.approvalTtlHours * HOUR_MS).toISOString(),
    notes: signing.notes,
  };
}

/**
 * Current status: a proposal whose time is over is expired even before that is recorded, and an approved one that lost
 * its quorum is a proposal again.
 */
export function statusOf(
  state: UpgradeState,
  governance: Pick<Governance, 'pool'>,
  now: number,
): RecordedStatus {
  if (state.status !== 'proposed' && state.status !== 'approved') return state.status;
  if (now >= Date.parse(state.expiresAt)) return 'expired';
  return quorumFor(state, 'approve', governance, now).reached ? 'approved' : 'proposed';
}

/** Preconditions that were not reported as passed, or were last reported as failed. */
export function missingChecks({ manifest, checks }: UpgradeState): string[] {
  return manifest.preconditions.filter((name) => checks.get(name)?.passed !== true);
}

export const HOUR_MS = 60 * 60 * 1_000;
