import {
  type ApprovalAction,
  type ApprovalRecord,
  type ApprovalSignature,
  decidingPools,
  findSigner,
  isInvolved,
  type JsonObject,
  manifestDigest,
  type PoolState,
  verifyApproval,
} from '#evidence';
import { GovernanceError } from './governance.error';
import {
  type Governance,
  isUndoable,
  planConfirmation,
  planEffect,
  type PlannedEffect,
  planUndo,
  replaced,
  rotatable,
  usablePool,
} from './plan-effect';
import { type KnownPasskeys, refuseSyncedPool, refuseSyncedSignature } from './synced-passkeys';
import { assertKnownType, invalid, readUpgradeManifest, type UpgradeManifest } from './upgrade.manifest';
import {
  HOUR_MS,
  involvedIn,
  isAboutPool,
  missingChecks,
  phaseOf,
  quorumFor,
  recordToSign,
  statusOf,
} from './upgrade.quorum';
import { type EvidenceBasis, SIGNED_TYPES, type UpgradeEvent, type UpgradeState } from './upgrade.state';

/** Everything a decision rests on besides the upgrade itself; no clock, no store. */
export interface DecisionContext {
  /**
   * Milliseconds since 1970: the later of the clock and the time of the chain's head. What the chain says was recorded
   * is past, whatever the clock of this process says.
   */
  now: number;
  origin: string;
  /** Types of upgrades that the organisation has beside the kernel's own; null: none. */
  ownTypes: RegExp | null;
  /** What is known of passkeys, where those that may be copied are refused; null: they are allowed. */
  passkeys: KnownPasskeys | null;
  governance: Governance;
  /** For a rollback: the upgrade that it undoes, if it exists. */
  undone: UpgradeState | null;
}

export interface SigningCommand {
  kind: 'sign';
  action: ApprovalAction;
  approverId: string;
  /** If null, the signature may be by any valid key of the approver. */
  keyId: string | null;
  /** RFC 3339 UTC with milliseconds: part of the signed record. */
  approvedAt: string;
  notes: string | null;
  signature: ApprovalSignature;
  approvalId: string;
  /** Principal of the caller. */
  by: string;
}

export type UpgradeCommand =
  | {
      kind: 'propose';
      manifest: JsonObject;
      /** Hex SHA-256 of the artifact that came with the proposal. */
      artifactSha256: string | null;
      /** The person in whose name it is proposed, as the caller claims: recorded, and decides nothing. */
      submittedBy: string | null;
      by: string;
    }
  | SigningCommand
  | {
      kind: 'report-check';
      name: string;
      passed: boolean;
      detail: string | null;
      by: string;
      byService: boolean;
    }
  | {
      kind: 'apply';
      artifactSha256: string | null;
      /** The person in whose name it is applied, as the caller claims. */
      claimedBy: string | null;
      by: string;
    }
  | { kind: 'emergency-apply'; reason: string; by: string }
  | { kind: 'withdraw'; reason: string; by: string }
  | { kind: 'complete'; outcome: 'completed' | 'failed'; detail: string | null }
  /** Commands of the coordinator: they decide nothing before their time. */
  | { kind: 'expire' }
  | { kind: 'settle-emergency' };

export interface Decision {
  events: UpgradeEvent[];
  /** Change elsewhere in the kernel, in the same commit. */
  effect: PlannedEffect | null;
  /** Event of the upgrade that a rollback undoes. */
  undone: UpgradeEvent | null;
}

/** Largest lead of approvers' clocks over ours. */
export const CLOCK_TOLERANCE_MS = 5 * 60 * 1_000;
const NOTHING: Decision = { events: [], effect: null, undone: null };

/**
 * Decides a command to an upgrade: events, or a refusal that says why. No events if it is already done.
 * @throws GovernanceError
 */
export function decideUpgrade(
  state: UpgradeState | null,
  command: UpgradeCommand,
  context: DecisionContext,
): Decision {
  if (command.kind === 'propose') return propose(state, command, context);
  if (state === null) throw new GovernanceError('upgrade_not_found', 'There is no such upgrade.');
  switch (command.kind) {
    case 'sign':
      return sign(state, command, context);
    case 'report-check':
      return reportCheck(state, command, context);
    case 'apply':
      return apply(state, command, context);
    case 'emergency-apply':
      return emergencyApply(state, command, context);
    case 'withdraw':
      return withdraw(state, command, context);
    case 'complete':
      return complete(state, command);
    case 'expire':
      return expire(state, context);
    case 'settle-emergency':
      return settleEmergency(state, context);
  }
}

function only(...events: UpgradeEvent[]): Decision {
  return { ...NOTHING, events };
}

function propose(
  state: UpgradeState | null,
  { manifest: document, artifactSha256, submittedBy, by }: Extract<UpgradeCommand, { kind: 'propose' }>,
  { now, governance, undone, ownTypes, passkeys }: DecisionContext,
): Decision {
  const manifest = readUpgradeManifest(document);
  assertKnownType(manifest, ownTypes);
  const { upgradeId } = manifest;
  if (state !== null) {
    throw new GovernanceError(
      'upgrade_exists',
      `There is an upgrade ${upgradeId} already; choose another id.`,
      {
        upgradeId,
      },
    );
  }
  const patchSha256 = patchDigest(manifest.patchSha256, artifactSha256);
  const { pool, policy } = governance;
  honest('/submittedBy', submittedBy, by, pool);
  checkChange(manifest, governance, undone);
  const { change } = manifest;
  if (passkeys !== null && change.kind === 'approver_pool') refuseSyncedPool(change.pool, pool, passkeys);
  return only({
    type: 'upgrade.proposed',
    payload: {
      upgradeId,
      manifest: document,
      manifestSha256: manifestDigest(document),
      patchSha256,
      submittedBy: submittedBy ?? by,
      pool: {
        version: pool.inForce.version,
        threshold: Math.max(...decidingPools(pool).map((one) => one.pool.threshold)),
        size: pool.inForce.pool.approvers.length,
      },
      expiresAt: iso(now + policy.settled.proposalTtlHours * HOUR_MS),
      approvalTtlHours: policy.settled.approvalTtlHours,
      ratificationHours: policy.settled.ratificationHours,
    },
  });
}

/** Refuses a claim to act for an approver that the caller is not: no one speaks for a person who has a vote. */
function honest(pointer: string, claimed: string | null, by: string, pool: PoolState): void {
  if (claimed === null || claimed === by) return;
  const other = decidingPools(pool)
    .flatMap((one) => one.pool.approvers)
    .find(
      ({ id, principals }) => (id === claimed || principals.includes(claimed)) && !principals.includes(by),
    );
  if (other === undefined) return;
  throw new GovernanceError(
    'not_the_approver',
    `"${by}" is not the approver ${other.id}, and cannot act in their name; leave out ${pointer.slice(1)}.`,
    { pointer },
  );
}

/** Refuses now what would certainly be refused at the apply. */
function checkChange({ change }: UpgradeManifest, governance: Governance, undone: UpgradeState | null): void {
  if (change.kind === 'approver_pool') usablePool(change.pool, governance.pool);
  if (change.kind === 'signer_rotation') rotatable(change.from, change.to, governance.signers);
  if (change.kind === 'rollback' && (undone === null || !isUndoable(undone))) {
    throw invalid('/undoes', `${change.undoes} is no upgrade that is in effect`);
  }
  const effect = change.kind === 'rollback' ? undone?.application?.effect : null;
  if (effect?.kind === 'signer_rotation') replaced(effect.to, governance.signers);
}

function patchDigest(claimed: string | null, computed: string | null): string | null {
  if (claimed !== null && computed !== null && claimed !== computed) {
    throw new GovernanceError(
      'patch_mismatch',
      `The artifact's SHA-256 is ${computed}, the manifest says ${claimed}.`,
      { computed, claimed },
    );
  }
  return claimed ?? computed;
}

// --- signatures ------------------------------------------------------------------------------------------------------

function sign(state: UpgradeState, command: SigningCommand, context: DecisionContext): Decision {
  const { action, approverId, by } = command;
  const { now, governance } = context;
  const { pool } = governance;
  signable(state, action, context);
  const aboutPool = isAboutPool(state, pool);
  const approver = decidingPools(pool, aboutPool)[0]?.pool.approvers.find(({ id }) => id === approverId);
  if (approver?.principals.includes(by) !== true) {
    throw new GovernanceError('not_the_approver', `"${by}" is not the approver ${approverId}.`);
  }
  if (isInvolved(approver, involvedIn(state))) {
    throw new GovernanceError(
      'self_approval',
      `${approverId} proposed this upgrade or applied it, and so has no say in it.`,
    );
  }
  const record = verifiedRecord(state, command, context);
  // Only now is what the signature says of its credential the authenticator's word.
  const key = approver.keys.find(({ keyId }) => keyId === record.keyId);
  if (context.passkeys !== null && key !== undefined)
    refuseSyncedSignature(key, command.signature, context.passkeys);
  timely(state, record, now);
  const { approvers, notCounted, open } = quorumFor(state, action, governance, now);
  const before = [...state.approvals].reverse().find((one) => one.record.approverId === approverId);
  // An approver may sign again after an expiry, or when the key was revoked since, but not to change their mind.
  const stands =
    before?.phase === phaseOf(state) &&
    before.record.expiresAt > iso(now) &&
    !('refusal' in findSigner(pool, approverId, before.record.keyId, aboutPool));
  if (stands) {
    throw new GovernanceError(
      'approver_already_signed',
      `${approverId} has signed already, to ${before.record.action}.`,
      { approvalId: before.id, approvers, notCounted, open },
    );
  }
  const given: UpgradeEvent = {
    type: SIGNED_TYPES[action],
    payload: {
      approvalId: command.approvalId,
      record: { type: 'illuvrse-kernel/approval/v1', ...record },
      signature: command.signature,
    },
  };
  const signed: UpgradeState = {
    ...state,
    approvals: [
      ...state.approvals,
      { id: command.approvalId, record, signature: command.signature, phase: phaseOf(state), at: iso(now) },
    ],
  };
  const outcome = outcomeOf(state, signed, action, context);
  return { ...outcome, events: [given, ...outcome.events] };
}

/** Refuses a signature that can no longer matter. */
function signable(state: UpgradeState, action: ApprovalAction, { governance, now }: DecisionContext): void {
  const status = statusOf(state, governance, now);
  const open = status === 'proposed' || status === 'approved';
  const ratifyBy = state.application?.ratifyBy ?? null;
  if (status === 'emergency_applied' && ratifyBy !== null && now >= Date.parse(ratifyBy)) {
    throw new GovernanceError(
      'upgrade_closed',
      `It was to be ratified until ${ratifyBy}, and is being undone; propose another one.`,
      { upgradeStatus: status },
    );
  }
  if (action === 'ratify') {
    if (status === 'emergency_applied') return;
    throw new GovernanceError(
      'not_emergency',
      `Only what was applied in an emergency is ratified; this upgrade is ${status}.`,
      { upgradeStatus: status },
    );
  }
  if (open || (action === 'reject' && status === 'emergency_applied')) return;
  throw state.application === null ? closed(status) : alreadyApplied(status);
}

const ACTIONS: readonly ApprovalAction[] = ['approve', 'reject', 'ratify'];

/** The record as the kernel has it, if the signature is over exactly this record. */
function verifiedRecord(
  state: UpgradeState,
  { action, approverId, keyId, approvedAt, notes, signature }: SigningCommand,
  { origin, governance }: DecisionContext,
): ApprovalRecord {
  const { pool } = governance;
  const aboutPool = isAboutPool(state, pool);
  const approver = decidingPools(pool, aboutPool)[0]?.pool.approvers.find(({ id }) => id === approverId);
  const candidates = keyId === null ? (approver?.keys.map((key) => key.keyId) ?? []) : [keyId];
  const reasons: string[] = [];
  let usable = false;
  let meant: ApprovalAction | undefined;
  for (const candidate of candidates) {
    const signer = findSigner(pool, approverId, candidate, aboutPool);
    if ('refusal' in signer) {
      reasons.push(`${candidate}: ${signer.refusal}`);
      continue;
    }
    usable = true;
    const signing = { action, approverId, keyId: candidate, approvedAt, notes };
    const record = recordToSign(state, governance, origin, signing);
    const wrong = verifyApproval(record, signature, signer.key);
    if (wrong.length === 0) return record;
    reasons.push(...wrong.map((reason) => `${candidate}: ${reason}`));
    // The only mistake that can be told from a forgery, because the kernel knows what else can be signed.
    meant ??= ACTIONS.find(
      (other) =>
        other !== action && verifyApproval({ ...record, action: other }, signature, signer.key).length === 0,
    );
  }
  if (!usable) {
    throw new GovernanceError(
      'key_not_valid',
      `${approverId} has no key that could sign this (${reasons.join('; ') || 'none is registered'}).`,
      { reasons },
    );
  }
  if (meant !== undefined) {
    throw new GovernanceError(
      'invalid_signature',
      `The signature is to ${meant} this upgrade, and counts for nothing else; to ${action} it, fetch the approval request for that, and sign what it says.`,
      { reasons: [`action: signed to ${meant}, not to ${action}`, ...reasons] },
    );
  }
  throw new GovernanceError(
    'invalid_signature',
    'The signature is not by a registered key of the approver over exactly this record; fetch the approval request anew, and sign what it says.',
    { reasons },
  );
}

function timely({ submittedAt }: UpgradeState, { approvedAt, expiresAt }: ApprovalRecord, now: number): void {
  const at = Date.parse(approvedAt);
  const refuse = (why: string) =>
    new GovernanceError('invalid_approved_at', `approvedAt ${approvedAt} ${why}.`, { approvedAt, expiresAt });
  if (at > now + CLOCK_TOLERANCE_MS) throw refuse('lies in the future');
  if (at < Date.parse(submittedAt) - CLOCK_TOLERANCE_MS) throw refuse('lies before the proposal');
  if (expiresAt <= iso(now)) throw refuse(`is so old that the approval expired at ${expiresAt}`);
}

/** Outcome of one more signature. */
function outcomeOf(
  before: UpgradeState,
  after: UpgradeState,
  action: ApprovalAction,
  context: DecisionContext,
): Decision {
  const { governance, now } = context;
  const quorum = quorumFor(after, action, governance, now);
  const { approvers, required } = quorum;
  const poolVersion = governance.pool.inForce.version;
  const decision = { approvers, required, poolVersion, ...basisOf(governance), decidedAt: iso(now) };
  switch (action) {
    case 'approve': {
      const newly = quorum.reached && !quorumFor(before, action, governance, now).reached;
      return newly ? only({ type: 'upgrade.approved', payload: decision }) : NOTHING;
    }
    case 'ratify':
      if (!quorum.reached) return NOTHING;
      return { ...only({ type: 'upgrade.ratified', payload: decision }), effect: planConfirmation(after) };
    case 'reject': {
      if (approvers.length <= quorum.eligible - required) return NOTHING;
      const reason = rejectionReason(after, approvers);
      if (after.status !== 'emergency_applied') {
        return only({ type: 'upgrade.rejected', payload: { ...decision, reason } });
      }
      return rollBack(after, `its ratification was rejected: ${reason}`, context);
    }
  }
}

function basisOf({ pool, signerEvents }: Governance): EvidenceBasis {
  return { poolEvents: pool.events, signerEvents };
}

function rejectionReason({ approvals }: UpgradeState, approvers: readonly string[]): string {
  const said = approvals
    .filter(({ record }) => record.action === 'reject' && approvers.includes(record.approverId))
    .map(({ record }) => `${record.approverId}: ${record.notes ?? 'no reason given'}`);
  return `rejected by ${approvers.length} approvers (${said.join('; ')})`.slice(0, MAX_REASON);
}

const MAX_REASON = 4_000;

// --- checks, application, end ----------------------------------------------------------------------------------------

function reportCheck(
  state: UpgradeState,
  { name, passed, detail, by, byService }: Extract<UpgradeCommand, { kind: 'report-check' }>,
  context: DecisionContext,
): Decision {
  stillOpen(state, context);
  if (!byService) {
    throw new GovernanceError(
      'only_services',
      'A check is reported by the service that made it, not by a person.',
    );
  }
  if (vouchesForItself(state, by, context.governance.pool)) {
    throw new GovernanceError(
      'self_check',
      `"${by}" proposed this upgrade; its checks are made and reported by another service.`,
    );
  }
  if (!state.manifest.preconditions.includes(name)) {
    throw new GovernanceError('unknown_check', `The manifest names no precondition "${name}".`, {
      preconditions: state.manifest.preconditions,
    });
  }
  return only({ type: 'upgrade.check_reported', payload: { name, passed, by, detail } });
}

/** Whether a principal proposed the upgrade, or is said to be the one in whose name, or belongs to the same approver. */
function vouchesForItself({ proposer, submittedBy }: UpgradeState, by: string, pool: PoolState): boolean {
  if (by === proposer || by === submittedBy) return true;
  return decidingPools(pool)
    .flatMap((one) => one.pool.approvers)
    .some(({ principals }) => principals.includes(by) && principals.includes(proposer));
}

function apply(
  state: UpgradeState,
  { artifactSha256, claimedBy, by }: Extract<UpgradeCommand, { kind: 'apply' }>,
  context: DecisionContext,
): Decision {
  // In effect without anyone's agreement is not what the caller asks for.
  if (state.status === 'emergency_applied' || state.status === 'rollback_required')
    throw alreadyApplied(state.status);
  if (isUndoable(state)) return NOTHING;
  const { governance, now, undone } = context;
  honest('/appliedBy', claimedBy, by, governance.pool);
  stillOpen(state, context);
  const quorum = quorumFor(state, 'approve', governance, now);
  const { approvers, required, missing } = quorum;
  if (!quorum.reached) {
    throw new GovernanceError(
      'insufficient_quorum',
      `${approvers.length} of ${required} approvals count; ${missing} more ${missing === 1 ? 'is' : 'are'} needed.`,
      {
        approvals: approvers.length,
        approvers,
        required,
        missing,
        notCounted: quorum.notCounted,
        open: quorum.open,
      },
    );
  }
  const unchecked = missingChecks(state);
  if (unchecked.length > 0) {
    throw new GovernanceError(
      'checks_missing',
      `Checks that must have passed first: ${unchecked.join(', ')}.`,
      {
        checks: unchecked,
      },
    );
  }
  patchDigest(state.patchSha256, artifactSha256);
  const planned = planEffect(state, governance, undone, { provisional: false, now });
  const { change } = state.manifest;
  return {
    events: [
      {
        type: 'upgrade.applied',
        payload: {
          appliedBy: by,
          claimedBy,
          approvers,
          required,
          poolVersion: governance.pool.inForce.version,
          ...basisOf(governance),
          decidedAt: iso(now),
          effect: planned?.effect ?? null,
          authorization: null,
        },
      },
    ],
    effect: planned,
    undone:
      change.kind === 'rollback'
        ? {
            type: 'upgrade.rolled_back',
            payload: {
              reason: state.manifest.rationale,
              undoneBy: state.upgradeId,
              effect: planned?.effect ?? null,
            },
          }
        : null,
  };
}

function emergencyApply(
  state: UpgradeState,
  { reason, by }: Extract<UpgradeCommand, { kind: 'emergency-apply' }>,
  context: DecisionContext,
): Decision {
  if (state.application !== null) throw alreadyApplied(state.status);
  stillOpen(state, context);
  const { governance, now, undone } = context;
  if (state.manifest.change.kind === 'rollback') {
    // Without ratification it would have to be undone, which would restore what it undoes.
    throw invalid('/type', 'a rollback cannot be applied in an emergency; it needs its quorum');
  }
  const planned = planEffect(state, governance, undone, { provisional: true, now });
  return {
    ...only({
      type: 'upgrade.emergency_applied',
      payload: {
        appliedBy: by,
        reason,
        ...basisOf(governance),
        // The shorter one of the windows at the proposal and now, fixed from here on.
        ratifyBy: iso(
          now + Math.min(state.ratificationHours, governance.policy.settled.ratificationHours) * HOUR_MS,
        ),
        effect: planned?.effect ?? null,
        authorization: null,
      },
    }),
    effect: planned,
  };
}

function withdraw(
  state: UpgradeState,
  { reason, by }: Extract<UpgradeCommand, { kind: 'withdraw' }>,
  context: DecisionContext,
): Decision {
  if (by !== state.proposer) {
    throw new GovernanceError(
      'not_the_proposer',
      `Only ${state.proposer}, who proposed it, may withdraw it.`,
    );
  }
  stillOpen(state, context);
  return only({ type: 'upgrade.withdrawn', payload: { reason } });
}

function complete(
  state: UpgradeState,
  { outcome, detail }: Extract<UpgradeCommand, { kind: 'complete' }>,
): Decision {
  if (state.status === outcome) return NOTHING;
  if (state.status !== 'applied' && state.status !== 'ratified') {
    throw new GovernanceError(
      'not_applied',
      `Only what was applied can be ${outcome}; this upgrade is ${state.status}.`,
      { upgradeStatus: state.status },
    );
  }
  return only({ type: `upgrade.${outcome}`, payload: { detail } });
}

function expire(state: UpgradeState, { now }: DecisionContext): Decision {
  const open = state.status === 'proposed' || state.status === 'approved';
  if (!open || now < Date.parse(state.expiresAt)) return NOTHING;
  return only({
    type: 'upgrade.expired',
    payload: { reason: `nobody applied it until ${state.expiresAt}` },
  });
}

function settleEmergency(state: UpgradeState, context: DecisionContext): Decision {
  const ratifyBy = state.application?.ratifyBy;
  if (state.status !== 'emergency_applied' || !ratifyBy || context.now < Date.parse(ratifyBy)) return NOTHING;
  return rollBack(state, `nobody ratified it until ${ratifyBy}`, context);
}

/**
 * Undoes an effect inside the kernel; for any other, and for one that cannot be undone without leaving the kernel
 * unable to sign or to decide, records that a rollback by people is required.
 */
function rollBack(state: UpgradeState, reason: string, { governance, now }: DecisionContext): Decision {
  const required = (why: string) => only({ type: 'upgrade.rollback_required', payload: { reason: why } });
  let planned: PlannedEffect | null;
  try {
    planned = planUndo(state, state.upgradeId, governance, now);
  } catch (error) {
    if (!(error instanceof GovernanceError)) throw error;
    return required(`${reason}; the kernel cannot undo it: ${error.message}`.slice(0, MAX_REASON));
  }
  if (planned === null) return required(reason);
  const { effect } = planned;
  return {
    ...only({ type: 'upgrade.rolled_back', payload: { reason, undoneBy: null, effect } }),
    effect: planned,
  };
}

function stillOpen(state: UpgradeState, { governance, now }: DecisionContext): void {
  const status = statusOf(state, governance, now);
  if (status === 'proposed' || status === 'approved') return;
  throw state.application === null ? closed(status) : alreadyApplied(status);
}

function closed(status: string): GovernanceError {
  return new GovernanceError('upgrade_closed', `This upgrade is ${status}; propose another one.`, {
    upgradeStatus: status,
  });
}

function alreadyApplied(status: string): GovernanceError {
  const waits = status === 'emergency_applied' ? ' without its quorum; ratify or reject it' : '';
  return new GovernanceError(
    'upgrade_already_applied',
    `This upgrade was applied already and is ${status}${waits}.`,
    {
      upgradeStatus: status,
    },
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
