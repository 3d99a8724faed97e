import {
  type ApprovalAction,
  type ApprovalRecord,
  type ApprovalSignature,
  type AuditEvent,
  type JsonObject,
  type JsonValue,
  readApprovalRecord,
  readApprovalSignature,
} from '#evidence';
import { type InKernelEffect } from './in-kernel-effect';
import { readUpgradeManifest, type UpgradeManifest } from './upgrade.manifest';

/** Status of an upgrade as recorded. The current status also depends on the time and the pool: `statusOf`. */
export type RecordedStatus =
  | 'proposed'
  | 'approved'
  | 'rejected'
  | 'expired'
  | 'withdrawn'
  | 'applied'
  | 'emergency_applied'
  | 'ratified'
  | 'rollback_required'
  | 'completed'
  | 'failed'
  | 'rolled_back';

export interface RecordedApproval {
  id: string;
  record: ApprovalRecord;
  signature: ApprovalSignature;
  /** About the application of the upgrade, or about whether an emergency application stays. */
  phase: 'decision' | 'ratification';
  at: string;
}

export interface UpgradeState {
  upgradeId: string;
  /** The manifest as proposed, to the byte of its canonical form. */
  document: JsonObject;
  manifest: UpgradeManifest;
  manifestSha256: string;
  patchSha256: string | null;
  /** Person in whose name it was proposed, as the proposer claimed. */
  submittedBy: string;
  /** Principal that called. */
  proposer: string;
  submittedAt: string;
  /** Pool in force when it was proposed. */
  pool: { version: number; threshold: number; size: number };
  expiresAt: string;
  approvalTtlHours: number;
  ratificationHours: number;
  status: RecordedStatus;
  /** Reason for its end, if one was given. */
  reason: string | null;
  approvals: RecordedApproval[];
  checks: ReadonlyMap<string, { passed: boolean; by: string; at: string; detail: string | null }>;
  application: {
    /** Principal that called. */
    by: string;
    /** Person in whose name it was applied, as that principal claimed. */
    claimedBy: string | null;
    at: string;
    emergency: boolean;
    approvers: string[];
    required: number;
    effect: InKernelEffect | null;
    /** DSSE envelope for the deploying party. */
    authorization: JsonValue;
    /** Time by which an emergency application must be ratified. */
    ratifyBy: string | null;
  } | null;
  /** Number of refused signatures that were recorded. */
  refusals: number;
  /** Version of its stream. */
  version: number;
}

export type UpgradeEvent =
  | {
      type: 'upgrade.proposed';
      payload: {
        upgradeId: string;
        manifest: JsonObject;
        manifestSha256: string;
        patchSha256: string | null;
        submittedBy: string;
        pool: { version: number; threshold: number; size: number };
        expiresAt: string;
        approvalTtlHours: number;
        ratificationHours: number;
      };
    }
  | {
      type: 'upgrade.approval_given' | 'upgrade.rejection_given' | 'upgrade.ratification_given';
      payload: SignedPayload;
    }
  | { type: 'upgrade.approved' | 'upgrade.ratified'; payload: QuorumPayload }
  | { type: 'upgrade.rejected'; payload: QuorumPayload & { reason: string } }
  | {
      type: 'upgrade.check_reported';
      payload: { name: string; passed: boolean; by: string; detail: string | null };
    }
  | {
      type: 'upgrade.applied';
      payload: QuorumPayload & {
        appliedBy: string;
        claimedBy: string | null;
        effect: InKernelEffect | null;
        authorization: JsonValue;
      };
    }
  | {
      type: 'upgrade.emergency_applied';
      payload: EvidenceBasis & {
        appliedBy: string;
        reason: string;
        ratifyBy: string;
        effect: InKernelEffect | null;
        authorization: JsonValue;
      };
    }
  | { type: 'upgrade.withdrawn' | 'upgrade.expired'; payload: { reason: string } }
  | { type: 'upgrade.completed' | 'upgrade.failed'; payload: { detail: string | null } }
  | {
      type: 'upgrade.rolled_back';
      payload: { reason: string; undoneBy: string | null; effect: InKernelEffect | null };
    }
  | { type: 'upgrade.rollback_required'; payload: { reason: string } };

export interface SignedPayload {
  approvalId: string;
  record: JsonObject;
  signature: ApprovalSignature;
}

/** What evidence has to have before a decision: no earlier change can be left out of it. */
export interface EvidenceBasis {
  /** Number of events that had made the pool. */
  poolEvents: number;
  /** Number of events that had made the key registry, the founding included. */
  signerEvents: number;
}

export interface QuorumPayload extends EvidenceBasis {
  approvers: string[];
  required: number;
  poolVersion: number;
  /** The moment of the judgement; the event's own `ts` is a little later. */
  decidedAt: string;
}

export const SIGNED_TYPES = {
  approve: 'upgrade.approval_given',
  reject: 'upgrade.rejection_given',
  ratify: 'upgrade.ratification_given',
} as const satisfies Record<ApprovalAction, UpgradeEvent['type']>;

/** Recorded when a signature is refused; not part of the upgrade's state. */
export const REFUSED_TYPE = 'upgrade.approval_refused';

type RecordedUpgradeEvent = Pick<AuditEvent, 'type' | 'payload' | 'ts' | 'actor' | 'streamVersion'>;

/** The upgrade after an event of its stream. */
export function evolveUpgrade(state: UpgradeState | null, event: RecordedUpgradeEvent): UpgradeState | null {
  const next = evolved(state, event);
  return next === null ? null : { ...next, version: event.streamVersion };
}

function evolved(state: UpgradeState | null, event: RecordedUpgradeEvent): UpgradeState | null {
  const { ts, actor } = event;
  // Only the kernel writes these streams, and it checks what it writes.
  const { type, payload } = event as unknown as UpgradeEvent;
  if (type === 'upgrade.proposed') {
    const { manifest, ...rest } = payload;
    return {
      ...rest,
      document: manifest,
      manifest: readUpgradeManifest(manifest),
      proposer: actor.id,
      submittedAt: ts,
      status: 'proposed',
      reason: null,
      approvals: [],
      checks: new Map(),
      application: null,
      refusals: 0,
      version: 0,
    };
  }
  if (state === null) return null;
  switch (type) {
    case 'upgrade.approval_given':
    case 'upgrade.rejection_given':
    case 'upgrade.ratification_given': {
      const approval: RecordedApproval = {
        id: payload.approvalId,
        record: readApprovalRecord(payload.record),
        signature: readApprovalSignature(payload.signature as unknown as JsonValue),
        phase: state.status === 'emergency_applied' ? 'ratification' : 'decision',
        at: ts,
      };
      return { ...state, approvals: [...state.approvals, approval] };
    }
    case 'upgrade.approved':
      return { ...state, status: 'approved' };
    case 'upgrade.rejected':
      return { ...state, status: 'rejected', reason: payload.reason };
    case 'upgrade.check_reported': {
      const { name, ...check } = payload;
      return { ...state, checks: new Map(state.checks).set(name, { ...check, at: ts }) };
    }
    case 'upgrade.applied':
      return {
        ...state,
        status: 'applied',
        application: {
          by: actor.id,
          claimedBy: payload.claimedBy,
          at: ts,
          emergency: false,
          approvers: payload.approvers,
          required: payload.required,
          effect: payload.effect,
          authorization: payload.authorization,
          ratifyBy: null,
        },
      };
    case 'upgrade.emergency_applied':
      return {
        ...state,
        status: 'emergency_applied',
        reason: payload.reason,
        application: {
          by: actor.id,
          claimedBy: null,
          at: ts,
          emergency: true,
          approvers: [],
          required: state.pool.threshold,
          effect: payload.effect,
          authorization: payload.authorization,
          ratifyBy: payload.ratifyBy,
        },
      };
    case 'upgrade.ratified': {
      const { approvers, required } = payload;
      const application = state.application && { ...state.application, approvers, required };
      return { ...state, status: 'ratified', application };
    }
    case 'upgrade.withdrawn':
      return { ...state, status: 'withdrawn', reason: payload.reason };
    case 'upgrade.expired':
      return { ...state, status: 'expired', reason: payload.reason };
    case 'upgrade.completed':
      return { ...state, status: 'completed', reason: payload.detail };
    case 'upgrade.failed':
      return { ...state, status: 'failed', reason: payload.detail };
    case 'upgrade.rolled_back':
      return { ...state, status: 'rolled_back', reason: payload.reason };
    case 'upgrade.rollback_required':
      return { ...state, status: 'rollback_required', reason: payload.reason };
    default:
      return (type as string) === REFUSED_TYPE ? { ...state, refusals: state.refusals + 1 } : state;
  }
}
