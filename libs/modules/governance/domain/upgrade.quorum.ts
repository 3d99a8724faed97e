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
  const approvals = state.approvals.filter((one) => one.phase === phase);
  return countFor({ ...state, approvals }, action, { pool }, now);
}

/** Counts the signatures that the state holds, whatever they are about. */
function countFor(
  state: UpgradeState,
  action: ApprovalAction,
  { pool }: Pick<Governance, 'pool'>,
  now: number,
): Quorum {
  return countQuorum({
    action,
    records: state.approvals.map(({ record }) => record),
    pool,
    threshold: state.pool.threshold,
    involved: involvedIn(state),
    now,
    aboutPool: isAboutPool(state, pool),
  });
}

/** A quorum as people read it: what decides, what rejects, and who can still sign. */
export interface ShownQuorum extends Quorum {
  action: 'approve' | 'ratify';
  /** Who rejects, and how many have to, so that the others are too few. */
  rejection: { approvers: string[]; required: number; missing: number };
}

/**
 * The quorum that matters: for the application or its ratification while that is open, and afterwards the one by which it was
 * decided. What was decided is not counted again: signatures expire, and pools change.
 */
export function shownQuorum(
  state: UpgradeState,
  governance: Pick<Governance, 'pool'>,
  now: number,
): ShownQuorum {
  const { application } = state;
  const action = application?.emergency === true ? 'ratify' : 'approve';
  const phase = action === 'ratify' ? 'ratification' : 'decision';
  const inPhase = { ...state, approvals: state.approvals.filter((one) => one.phase === phase) };
  const counted = countFor(inPhase, action, governance, now);
  const rejecting = countFor(inPhase, 'reject', governance, now);
  const status = statusOf(state, governance, now);
  const isOpen = ['proposed', 'approved', 'emergency_applied'].includes(status);
  const isDecided =
    application !== null && status !== 'emergency_applied' && application.approvers.length > 0;
  const required = isDecided ? application.required : counted.required;
  const approvers = isDecided ? application.approvers : counted.approvers;
  const missing = Math.max(0, required - approvers.length);
  const rejections = Math.max(1, rejecting.eligible - required + 1);
  return {
    ...counted,
    action,
    required,
    approvers,
    missing,
    reached: missing === 0,
    // A signature for something else is shown where it counts.
    notCounted: counted.notCounted.filter(
      ({ approverId, reason }) =>
        reason !== 'another_action' && !(isDecided && application.approvers.includes(approverId)),
    ),
    // A signature that stands is not changed.
    open: isOpen ? counted.open.filter((id) => !rejecting.approvers.includes(id)) : [],
    rejection: {
      approvers: rejecting.approvers,
      required: rejections,
      missing: isOpen ? Math.max(0, rejections - rejecting.approvers.length) : 0,
    },
  };
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
