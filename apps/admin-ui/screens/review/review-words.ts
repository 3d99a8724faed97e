import { type Act, type Reviewed } from './report';

/** What the events of an upgrade say, as words of what somebody did. */
const DONE: Readonly<Record<string, string>> = {
  'upgrade.proposed': 'proposed it',
  'upgrade.approval_given': 'approved',
  'upgrade.rejection_given': 'rejected',
  'upgrade.ratification_given': 'ratified',
  'upgrade.approval_refused': 'gave a signature that was refused',
  'upgrade.approved': 'brought the quorum about',
  'upgrade.rejected': 'brought the rejection about',
  'upgrade.ratified': 'brought the ratification about',
  'upgrade.applied': 'applied it',
  'upgrade.emergency_applied': 'applied it without a quorum',
  'upgrade.withdrawn': 'withdrew it',
  'upgrade.expired': 'recorded that its time was over',
  'upgrade.completed': 'reported its deployment as completed',
  'upgrade.failed': 'reported its deployment as failed',
  'upgrade.rolled_back': 'undid it',
  'upgrade.rollback_required': 'recorded that people have to undo it',
};

/** `ada, with ada-1, approved`. */
export function actWords({ type, by, approverId, keyId, claimedBy }: Act): string {
  const who = approverId === null ? by : `${approverId}${keyId === null ? '' : `, with the key ${keyId}`},`;
  const as = approverId === null ? '' : ` (calling as ${by})`;
  const named = claimedBy === null || claimedBy === by ? '' : ` (for ${claimedBy}, it says)`;
  return `${who} ${DONE[type] ?? type}${as}${named}`;
}

const STEPS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `2 d 3 h`: the two largest units. */
export function durationText(seconds: number): string {
  const parts: string[] = [];
  let left = Math.max(0, seconds);
  for (const [unit, size] of STEPS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? '0 s' : parts.slice(0, 2).join(' ');
}

export const OUTCOMES: Readonly<Record<NonNullable<Reviewed['emergency']>['outcome'], string>> = {
  waiting: 'not ratified yet',
  overdue: 'overdue: its time is over, and no end of it is recorded',
  ratified: 'ratified in time',
  rejected: 'its ratification was rejected',
  unratified: 'nobody ratified it in time',
};

/** Who had more than one part in it, as sentences; empty: nobody had. */
export function separationWords({ separation, application }: Reviewed): string[] {
  const { decidedOwn, appliedByProposer, appliedByApprovers } = separation;
  const how = application?.emergency === true ? 'applied it without a quorum' : 'applied it';
  return [
    ...(decidedOwn.length === 0
      ? []
      : [`Signed about what they had proposed or applied themselves: ${decidedOwn.join(', ')}.`]),
    ...(appliedByProposer ? [`Who proposed it also ${how}.`] : []),
    ...(appliedByApprovers.length === 0
      ? []
      : [`Counted for it and ${how}: ${appliedByApprovers.join(', ')}.`]),
  ];
}
