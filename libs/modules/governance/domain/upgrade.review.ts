import {
  type ApprovalAction,
  type AuditEvent,
  canonicalize,
  decidingPools,
  type JsonObject,
  type PoolState,
} from '#evidence';
import { type UpgradeManifest } from './upgrade.manifest';
import {
  evolveUpgrade,
  type RecordedStatus,
  REFUSED_TYPE,
  SIGNED_TYPES,
  type UpgradeState,
} from './upgrade.state';

/** What a report is about, all times in RFC 3339 UTC with milliseconds. */
export interface ReviewPeriod {
  /** First moment that belongs to it. */
  from: string;
  /** What is true of windows is judged at this moment: the end of a period that is over, else that of the last event. */
  asOf: string;
}

/** One thing that happened to an upgrade: an event of its stream. */
export interface ReviewedAct {
  eventId: string;
  position: string;
  at: string;
  type: string;
  /** Principal that called; the kernel itself is `kernel`. */
  by: string;
  /** Person in whose name, as the caller claimed. */
  claimedBy: string | null;
  approverId: string | null;
  keyId: string | null;
  /** Notes of a signature, else the reason or detail that was given. */
  text: string | null;
  /** Whether it happened in the period, and not before. */
  inPeriod: boolean;
}

/**
 * How an emergency ended: still `waiting` for its ratification, or `overdue` where its time is over and nothing is recorded
 * of its end; `rejected` by approvers, or `unratified` in time.
 */
export type EmergencyOutcome = 'waiting' | 'overdue' | 'ratified' | 'rejected' | 'unratified';

/** An upgrade as the chain had it at the end of the report, with what compliance asks of it. */
export interface ReviewedUpgrade {
  upgradeId: string;
  type: string;
  rationale: string;
  /** What it changes, in a line. */
  change: string;
  manifestSha256: string;
  patchSha256: string | null;
  /** As recorded. */
  status: RecordedStatus;
  reason: string | null;
  proposedBy: string;
  submittedBy: string;
  proposedAt: string;
  application: {
    at: string;
    by: string;
    claimedBy: string | null;
    emergency: boolean;
    /** Those who counted for it: for an emergency, for its ratification. */
    approvers: string[];
    required: number;
    /** Whole seconds from the proposal. */
    secondsFromProposal: number;
  } | null;
  emergency: { reason: string; ratifyBy: string; outcome: EmergencyOutcome; endedAt: string | null } | null;
  separation: {
    /** Approvers who signed about what they had proposed, or applied in an emergency: the kernel refuses that. */
    decidedOwn: string[];
    /** Whether the person who proposed it also applied it. */
    appliedByProposer: boolean;
    /** Approvers who counted for it and applied it themselves. */
    appliedByApprovers: string[];
  };
  /** All that happened up to the end of the report, except reports of checks. */
  acts: ReviewedAct[];
}

/** What happened in the period, summed up. */
export interface ReviewCounts {
  /** Upgrades to which something happened. */
  upgrades: number;
  proposed: number;
  /** Applied with a quorum. */
  applied: number;
  emergencies: number;
  ratified: number;
  /** Emergencies whose ratification was rejected. */
  ratificationsRejected: number;
  /** Emergencies that nobody ratified in time, ended or not. */
  unratified: number;
  rejected: number;
  withdrawn: number;
  expired: number;
  completed: number;
  failed: number;
  rolledBack: number;
  refusedSignatures: number;
  /** Upgrades that somebody signed about who had proposed them, or applied them in an emergency. */
  decidedOwn: number;
  /** Upgrades applied in the period by the person who had proposed them. */
  appliedByProposer: number;
  /** Upgrades applied in the period by somebody who counted for them. */
  appliedByApprovers: number;
}

type ReviewedEvent = Pick<
  AuditEvent,
  'id' | 'type' | 'payload' | 'ts' | 'actor' | 'shard' | 'seq' | 'streamVersion'
>;

/**
 * Reports on an upgrade.
 * @param events of its stream up to the end of the report, in order; the first is its proposal
 * @param poolAt the pool as it was before the event at a position of the governance shard; null: there was none
 */
export function reviewUpgrade(
  events: readonly ReviewedEvent[],
  poolAt: (seq: number) => PoolState | null,
  period: ReviewPeriod,
): ReviewedUpgrade {
  const state = events.reduce<UpgradeState | null>((before, event) => evolveUpgrade(before, event), null);
  if (state === null) throw new TypeError('an upgrade begins with its proposal');
  const { application, manifest } = state;
  return {
    upgradeId: state.upgradeId,
    type: manifest.type,
    rationale: manifest.rationale,
    change: changeLine(manifest, state.document),
    manifestSha256: state.manifestSha256,
    patchSha256: state.patchSha256,
    status: state.status,
    reason: state.reason,
    proposedBy: state.proposer,
    submittedBy: state.submittedBy,
    proposedAt: state.submittedAt,
    application: application && {
      at: application.at,
      by: application.by,
      claimedBy: application.claimedBy,
      emergency: application.emergency,
      approvers: application.approvers,
      required: application.required,
      secondsFromProposal: Math.floor((Date.parse(application.at) - Date.parse(state.submittedAt)) / 1_000),
    },
    emergency: emergencyOf(events, period.asOf),
    separation: separationOf(state, events, poolAt),
    acts: events
      .filter(({ type }) => type !== 'upgrade.check_reported')
      .map((event) => actOf(event, event.ts >= period.from)),
  };
}

/** Sums up what happened in the period. Sums of parts of a report add up to those of the whole. */
export function countReview(upgrades: readonly ReviewedUpgrade[]): ReviewCounts {
  const count = (holds: (upgrade: ReviewedUpgrade) => boolean) => upgrades.filter(holds).length;
  const happened = ({ acts }: ReviewedUpgrade, ...types: string[]) =>
    acts.some((act) => act.inPeriod && types.includes(act.type));
  const ended = ({ acts, emergency }: ReviewedUpgrade, outcome: EmergencyOutcome) =>
    emergency?.outcome === outcome && acts.some(({ at, inPeriod }) => inPeriod && at === emergency.endedAt);
  const applied = (upgrade: ReviewedUpgrade) =>
    happened(upgrade, 'upgrade.applied', 'upgrade.emergency_applied');
  return {
    upgrades: upgrades.length,
    proposed: count((one) => happened(one, 'upgrade.proposed')),
    applied: count((one) => happened(one, 'upgrade.applied')),
    emergencies: count((one) => happened(one, 'upgrade.emergency_applied')),
    ratified: count((one) => happened(one, 'upgrade.ratified')),
    ratificationsRejected: count((one) => ended(one, 'rejected')),
    unratified: count((one) => one.emergency?.outcome === 'overdue' || ended(one, 'unratified')),
    rejected: count((one) => happened(one, 'upgrade.rejected')),
    withdrawn: count((one) => happened(one, 'upgrade.withdrawn')),
    expired: count((one) => happened(one, 'upgrade.expired')),
    completed: count((one) => happened(one, 'upgrade.completed')),
    failed: count((one) => happened(one, 'upgrade.failed')),
    rolledBack: count((one) => happened(one, 'upgrade.rolled_back')),
    refusedSignatures: upgrades.reduce(
      (sum, { acts }) => sum + acts.filter(({ type, inPeriod }) => inPeriod && type === REFUSED_TYPE).length,
      0,
    ),
    decidedOwn: count(({ separation }) => separation.decidedOwn.length > 0),
    appliedByProposer: count((one) => one.separation.appliedByProposer && applied(one)),
    appliedByApprovers: count((one) => one.separation.appliedByApprovers.length > 0 && applied(one)),
  };
}

/** Whether somebody has a part in it: as a principal, an approver, or a person in whose name something was done. */
export function hasPart({ submittedBy, acts }: ReviewedUpgrade, person: string): boolean {
  return (
    submittedBy === person ||
    acts.some(({ by, claimedBy, approverId }) => [by, claimedBy, approverId].includes(person))
  );
}

const MAX_CHANGE = 300;

function changeLine({ change }: UpgradeManifest, document: JsonObject): string {
  switch (change.kind) {
    case 'approver_pool':
      return `a pool of ${change.pool.approvers.length} approvers, ${change.pool.threshold} of whom have to agree`;
    case 'policy': {
      const { approvalTtlHours, proposalTtlHours, ratificationHours } = change.policy;
      return `approvals hold ${approvalTtlHours} h, proposals ${proposalTtlHours} h, emergencies wait ${ratificationHours} h`;
    }
    case 'signer_rotation':
      return `the key ${change.to.signer_kid} in place of ${change.from}`;
    case 'rollback':
      return `undoes ${change.undoes}`;
    case 'outside': {
      const { target } = document;
      if (target === undefined || target === null) return 'something outside the kernel';
      const text = typeof target === 'string' ? target : canonicalize(target);
      return text.length <= MAX_CHANGE ? text : `${text.slice(0, MAX_CHANGE - 1)}…`;
    }
  }
}

function actOf({ id, type, ts, actor, shard, seq, payload }: ReviewedEvent, inPeriod: boolean): ReviewedAct {
  const record = (payload['record'] ?? {}) as { approverId?: string; keyId?: string; notes?: string | null };
  const refused = type === REFUSED_TYPE ? refusalOf(payload) : null;
  return {
    eventId: id,
    position: `${shard}:${seq}`,
    at: ts,
    type,
    by: actor.id,
    claimedBy:
      textOf(payload['claimedBy']) ?? (type === 'upgrade.proposed' ? textOf(payload['submittedBy']) : null),
    approverId: record.approverId ?? textOf(payload['approverId']),
    keyId: record.keyId ?? textOf(payload['keyId']),
    text: refused ?? record.notes ?? textOf(payload['reason']) ?? textOf(payload['detail']),
    inPeriod,
  };
}

function refusalOf({ action, error, reasons }: JsonObject): string {
  const why = Array.isArray(reasons) ? reasons.filter((one) => typeof one === 'string').join('; ') : '';
  return `${textOf(action) ?? 'sign'}: ${textOf(error) ?? 'refused'}${why === '' ? '' : ` (${why})`}`;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function emergencyOf(events: readonly ReviewedEvent[], asOf: string): ReviewedUpgrade['emergency'] {
  const at = events.findIndex(({ type }) => type === 'upgrade.emergency_applied');
  const applied = events[at];
  if (applied === undefined) return null;
  const { reason, ratifyBy } = applied.payload as { reason: string; ratifyBy: string };
  const end = events
    .slice(at + 1)
    .find(({ type }) =>
      ['upgrade.ratified', 'upgrade.rolled_back', 'upgrade.rollback_required'].includes(type),
    );
  if (end === undefined) {
    return { reason, ratifyBy, outcome: asOf >= ratifyBy ? 'overdue' : 'waiting', endedAt: null };
  }
  // The kernel itself ends what nobody ratified; a rejection is brought about by whoever signed the last one.
  const outcome =
    end.type === 'upgrade.ratified' ? 'ratified' : end.actor.kind === 'system' ? 'unratified' : 'rejected';
  return { reason, ratifyBy, outcome, endedAt: end.ts };
}

const SIGNED: Readonly<Record<string, ApprovalAction>> = {
  [SIGNED_TYPES.approve]: 'approve',
  [SIGNED_TYPES.reject]: 'reject',
  [SIGNED_TYPES.ratify]: 'ratify',
};

/** Who had which part, by the pool as it was at the time: an approver is one person with all their principals. */
function separationOf(
  { proposer, application }: UpgradeState,
  events: readonly ReviewedEvent[],
  poolAt: (seq: number) => PoolState | null,
): ReviewedUpgrade['separation'] {
  const decidedOwn = new Set<string>();
  let applied: ReviewedEvent | undefined;
  let involved = [proposer];
  for (const event of events) {
    if (event.type === 'upgrade.applied' || event.type === 'upgrade.emergency_applied') {
      applied = event;
      if (event.type === 'upgrade.emergency_applied') involved = [proposer, event.actor.id];
    }
    if (SIGNED[event.type] === undefined) continue;
    const { approverId } = event.payload['record'] as { approverId: string };
    const principals = [event.actor.id, ...principalsOf(poolAt(event.seq), approverId)];
    if (principals.some((principal) => involved.includes(principal))) decidedOwn.add(approverId);
  }
  if (applied === undefined || application === null) {
    return { decidedOwn: [...decidedOwn], appliedByProposer: false, appliedByApprovers: [] };
  }
  const pool = poolAt(applied.seq);
  const by = applied.actor.id;
  return {
    decidedOwn: [...decidedOwn],
    appliedByProposer: by === proposer || isOnePerson(pool, by, proposer),
    appliedByApprovers: application.approvers.filter((id) => principalsOf(pool, id).includes(by)),
  };
}

function peopleOf(pool: PoolState | null) {
  return pool === null ? [] : decidingPools(pool).flatMap((one) => one.pool.approvers);
}

function principalsOf(pool: PoolState | null, approverId: string): string[] {
  return peopleOf(pool).flatMap(({ id, principals }) => (id === approverId ? principals : []));
}

function isOnePerson(pool: PoolState | null, one: string, other: string): boolean {
  return peopleOf(pool).some(({ principals }) => principals.includes(one) && principals.includes(other));
}
