import { type Upgrade, type UpgradeStatus, type UpgradeSummary } from '../../api/queries';

export const VIEWS = [
  { name: 'needs-me', label: 'Needs me' },
  { name: 'mine', label: 'Mine' },
  { name: 'all', label: 'All' },
  { name: 'history', label: 'History' },
] as const;
export type ViewName = (typeof VIEWS)[number]['name'];

/** What a list shows, as it is in the address. */
export interface ListSearch {
  view?: ViewName;
  status?: UpgradeStatus;
  type?: string;
  cursor?: string;
}

/** Each status with what it means, in the order of an upgrade's life. */
export const STATUSES: Readonly<
  Record<UpgradeStatus, { label: string; color: string; meaning: string; isOpen: boolean }>
> = {
  proposed: {
    label: 'proposed',
    color: 'blue',
    meaning: 'Approvers decide about it. Nothing has changed yet.',
    isOpen: true,
  },
  approved: {
    label: 'approved',
    color: 'teal',
    meaning: 'Its quorum is reached. Nothing has changed yet: it has to be applied.',
    isOpen: true,
  },
  emergency_applied: {
    label: 'in force, not ratified',
    color: 'red',
    meaning: 'It was applied without a quorum and is in force. Approvers have to ratify it, or it is undone.',
    isOpen: true,
  },
  applied: { label: 'applied', color: 'green', meaning: 'It was applied with its quorum.', isOpen: false },
  ratified: {
    label: 'ratified',
    color: 'green',
    meaning: 'It was applied in an emergency, and a quorum has ratified it since.',
    isOpen: false,
  },
  completed: {
    label: 'completed',
    color: 'green',
    meaning: 'It was applied, and its deployment is reported as completed.',
    isOpen: false,
  },
  failed: {
    label: 'failed',
    color: 'red',
    meaning: 'It was applied, and its deployment is reported as failed.',
    isOpen: false,
  },
  rejected: { label: 'rejected', color: 'gray', meaning: 'Approvers have rejected it.', isOpen: false },
  expired: {
    label: 'expired',
    color: 'gray',
    meaning: 'Its time was over before it was applied.',
    isOpen: false,
  },
  withdrawn: { label: 'withdrawn', color: 'gray', meaning: 'Its proposer took it back.', isOpen: false },
  rolled_back: {
    label: 'rolled back',
    color: 'gray',
    meaning: 'It was in force, and was undone.',
    isOpen: false,
  },
  rollback_required: {
    label: 'to be rolled back',
    color: 'red',
    meaning: 'Nobody ratified it in time, and the kernel cannot undo it by itself: people have to.',
    isOpen: false,
  },
};

export const STATUS_NAMES = Object.keys(STATUSES) as UpgradeStatus[];

const isStatus = (value: unknown): value is UpgradeStatus =>
  typeof value === 'string' && Object.hasOwn(STATUSES, value);

/** The list of an address; what is not known is left out. */
export function readListSearch(search: Record<string, unknown>): ListSearch {
  const { view, status, type, cursor } = search;
  const known = VIEWS.find(({ name }) => name === view);
  return {
    ...(known !== undefined && { view: known.name }),
    ...(isStatus(status) && { status }),
    ...(typeof type === 'string' && type.trim() !== '' && { type: type.trim() }),
    ...(typeof cursor === 'string' && cursor !== '' && { cursor }),
  };
}

/** Whether an upgrade belongs into a list, beyond what the kernel filters by. */
export function belongs(view: ViewName, upgrade: UpgradeSummary, principal: string): boolean {
  if (view === 'mine') return upgrade.proposedBy === principal;
  if (view === 'history') return !STATUSES[upgrade.status].isOpen;
  return true;
}

/** Who somebody is, as far as an upgrade may need them. */
export interface Needed {
  readonly approverId: string | null;
  readonly applies: boolean;
  readonly proposes: boolean;
}

/** Statuses in which an upgrade can need somebody, the most urgent ones first. */
export function statusesThatNeed({ approverId, applies, proposes }: Needed): UpgradeStatus[] {
  const needed: UpgradeStatus[] = [];
  if (approverId !== null) needed.push('emergency_applied');
  if (proposes) needed.push('rollback_required');
  if (applies) needed.push('approved');
  if (approverId !== null) needed.push('proposed');
  return needed;
}

/** What an upgrade needs somebody to do; null: nothing. */
export function needOf(upgrade: Upgrade, { approverId, applies, proposes }: Needed): string | null {
  const { status, quorum, missingChecks } = upgrade;
  const isOpenForMe = approverId !== null && quorum.open.includes(approverId);
  if (status === 'emergency_applied') return isOpenForMe ? 'Ratify or reject' : null;
  if (status === 'proposed') return isOpenForMe ? 'Approve or reject' : null;
  if (status === 'approved' && applies)
    return missingChecks.length === 0 ? 'Apply' : `Waits for checks: ${missingChecks.join(', ')}`;
  if (status === 'rollback_required' && proposes) return 'Undo it';
  return null;
}

/** When what an upgrade waits for ends; null: it waits for nothing. */
export function endOf({ status, expiresAt, ratifyBy }: UpgradeSummary): string | null {
  if (status === 'emergency_applied') return ratifyBy;
  return STATUSES[status].isOpen ? expiresAt : null;
}
