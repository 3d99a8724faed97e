import { type AuditEvent, type JsonObject, type PoolState } from '#evidence';
import { phaseOf, quorumFor, shownQuorum, statusOf } from './upgrade.quorum';
import { type RecordedStatus, type UpgradeState } from './upgrade.state';

/** Notifications about upgrades for other systems. */
export const NOTIFICATIONS = [
  'upgrade.proposed',
  'upgrade.approved',
  'upgrade.last_signature_needed',
  'upgrade.expiring',
  'upgrade.applied',
  'upgrade.completed',
  'upgrade.failed',
  'upgrade.rejected',
  'upgrade.withdrawn',
  'upgrade.expired',
  'upgrade.emergency_applied',
  'upgrade.ratified',
  'upgrade.unratified',
  'upgrade.rolled_back',
] as const;
export type NotificationType = (typeof NOTIFICATIONS)[number];

/** The events that cause a notification. */
export const NOTIFYING_EVENTS = [
  'upgrade.proposed',
  'upgrade.approval_given',
  'upgrade.ratification_given',
  'upgrade.approved',
  'upgrade.applied',
  'upgrade.completed',
  'upgrade.failed',
  'upgrade.rejected',
  'upgrade.withdrawn',
  'upgrade.expired',
  'upgrade.emergency_applied',
  'upgrade.ratified',
  'upgrade.rolled_back',
  'upgrade.rollback_required',
] as const;

export interface UpgradeNotification {
  type: NotificationType;
  /** Cause of the notification: the same cause and type are the same notification. */
  cause: string;
  /** Time of the cause. */
  timestamp: string;
  upgradeId: string;
  data: JsonObject;
}

/** One more look at an upgrade, before a deadline. */
export interface UpgradeReminder {
  kind: 'proposal' | 'ratification';
  dueAt: string;
  deadline: string;
}

/** An upgrade right before and right after an event of its stream, with the pool as it was then. */
export interface Happening {
  event: Pick<AuditEvent, 'id' | 'type' | 'ts' | 'shard' | 'seq' | 'payload'>;
  before: UpgradeState | null;
  after: UpgradeState;
  pool: PoolState;
  origin: string;
}

/** Notifications of an event to people who wait for it: mostly one, sometimes two, sometimes none. */
export function notificationsOf(happening: Happening): UpgradeNotification[] {
  const { event, before, after, pool, origin } = happening;
  const now = Date.parse(event.ts);
  const types: NotificationType[] = [];
  switch (event.type) {
    case 'upgrade.rollback_required':
      types.push('upgrade.unratified');
      break;
    case 'upgrade.rolled_back':
      // If no other upgrade undid it, the kernel itself did, because it was not ratified.
      if (event.payload['undoneBy'] === null) types.push('upgrade.unratified');
      types.push('upgrade.rolled_back');
      break;
    default:
      if (isNotification(event.type)) types.push(event.type);
  }
  if (isOneShort(after, pool, now) && !(before !== null && isOneShort(before, pool, now))) {
    types.push('upgrade.last_signature_needed');
  }
  const data = { ...factsOf(after, pool, now, origin), position: `${event.shard}:${event.seq}` };
  const { upgradeId } = after;
  return types.map((type) => ({ type, cause: event.id, timestamp: event.ts, upgradeId, data }));
}

function isNotification(type: string): type is NotificationType {
  return (NOTIFICATIONS as readonly string[]).includes(type);
}

/** Whether one more signature would decide it. */
function isOneShort(state: UpgradeState, pool: PoolState, now: number): boolean {
  const status = statusOf(state, { pool }, now);
  if (status !== 'proposed' && status !== 'emergency_applied') return false;
  const action = phaseOf(state) === 'ratification' ? 'ratify' : 'approve';
  return quorumFor(state, action, { pool }, now).missing === 1;
}

/** The reminders that an event makes necessary. */
export function remindersOf({ event, after }: Happening, leadMs: number): UpgradeReminder[] {
  const from = Date.parse(event.ts);
  if (event.type === 'upgrade.proposed') return [reminder('proposal', from, after.expiresAt, leadMs)];
  const ratifyBy = after.application?.ratifyBy ?? null;
  if (event.type === 'upgrade.emergency_applied' && ratifyBy !== null) {
    return [reminder('ratification', from, ratifyBy, leadMs)];
  }
  return [];
}

/** Makes a reminder, never due in the first three quarters of the period, however short that is. */
function reminder(
  kind: UpgradeReminder['kind'],
  from: number,
  deadline: string,
  leadMs: number,
): UpgradeReminder {
  const until = Date.parse(deadline);
  const dueAt = until - Math.min(leadMs, (until - from) / 4);
  return { kind, dueAt: new Date(dueAt).toISOString(), deadline };
}

const OPEN: Record<UpgradeReminder['kind'], ReadonlySet<RecordedStatus>> = {
  proposal: new Set<RecordedStatus>(['proposed', 'approved']),
  ratification: new Set<RecordedStatus>(['emergency_applied']),
};

/** Notification of a due reminder; null when the upgrade was settled meanwhile. */
export function expiring(
  { kind, deadline }: Pick<UpgradeReminder, 'kind' | 'deadline'>,
  state: UpgradeState,
  pool: PoolState,
  now: number,
  origin: string,
): UpgradeNotification | null {
  if (!OPEN[kind].has(statusOf(state, { pool }, now))) return null;
  return {
    type: 'upgrade.expiring',
    cause: `${state.upgradeId} ${kind} ${deadline}`,
    timestamp: new Date(now).toISOString(),
    upgradeId: state.upgradeId,
    data: { ...factsOf(state, pool, now, origin), position: null },
  };
}

/** Content of a notification. The manifest itself stays in the kernel, which checks who reads it. */
function factsOf(state: UpgradeState, pool: PoolState, now: number, origin: string): JsonObject {
  const { action, required, missing, approvers, open } = shownQuorum(state, { pool }, now);
  return {
    origin,
    upgradeId: state.upgradeId,
    upgradeType: state.manifest.type,
    status: statusOf(state, { pool }, now),
    submittedBy: state.submittedBy,
    manifestSha256: state.manifestSha256,
    reason: state.reason,
    expiresAt: state.expiresAt,
    ratifyBy: state.application?.ratifyBy ?? null,
    quorum: { action, required, missing, approvers, open },
  };
}
