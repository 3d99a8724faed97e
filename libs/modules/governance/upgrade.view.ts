import { type StoredEvent } from '#platform/event-store';
import { type Governance } from './domain/plan-effect';
import { missingChecks, shownQuorum, statusOf } from './domain/upgrade.quorum';
import { type RecordedApproval, type UpgradeState } from './domain/upgrade.state';

/** One signature, as callers see it. */
export function approvalView({ id, record, signature, at }: RecordedApproval) {
  const { approverId, keyId, action, notes, approvedAt, expiresAt, poolVersion } = record;
  return {
    id,
    approverId,
    keyId,
    action,
    signature,
    notes,
    approvedAt,
    expiresAt,
    poolVersion,
    recordedAt: at,
  };
}

/** An upgrade in a list: its content and its current status. */
export function upgradeSummary(state: UpgradeState, governance: Governance, now: number) {
  return {
    id: state.upgradeId,
    upgradeId: state.upgradeId,
    type: state.manifest.type,
    manifest: state.document,
    manifestSha256: state.manifestSha256,
    patchSha256: state.patchSha256,
    status: statusOf(state, governance, now),
    reason: state.reason,
    submittedBy: state.submittedBy,
    proposedBy: state.proposer,
    submittedAt: state.submittedAt,
    expiresAt: state.expiresAt,
    ratifyBy: state.status === 'emergency_applied' ? (state.application?.ratifyBy ?? null) : null,
  };
}

/** An upgrade with everything that an approver or an auditor asks: who signed, who counts, what is missing. */
export function upgradeDetail(state: UpgradeState, governance: Governance, now: number) {
  const { application } = state;
  return {
    ...upgradeSummary(state, governance, now),
    pool: state.pool,
    approvals: state.approvals.map(approvalView),
    quorum: shownQuorum(state, governance, now),
    preconditions: state.manifest.preconditions.map((name) => {
      const check = state.checks.get(name);
      return check === undefined ? { name, passed: null } : { name, ...check };
    }),
    missingChecks: missingChecks(state),
    application,
  };
}

export function timelineEntry({ event }: StoredEvent) {
  const { id, type, ts, actor, shard, seq, hash, payload } = event;
  return { id, type, ts, actor, position: `${shard}:${seq}`, hash, payload };
}
