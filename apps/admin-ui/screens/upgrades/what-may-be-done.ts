import { type Mode } from '../../api/connection';
import { type Upgrade } from '../../api/queries';
import { type Action, type Session } from '../../session/session';
import { STATUSES } from './lists';

/** What can be done with an upgrade besides signing. */
export const VERBS = ['apply', 'emergency-apply', 'withdraw', 'complete', 'rollback'] as const;
export type Verb = (typeof VERBS)[number];

/** The form that is open, as it is in the address: a sign-in in between comes back to it. */
export function readVerb(search: Record<string, unknown>): { do?: Verb } {
  const verb = VERBS.find((name) => name === search['do']);
  return verb === undefined ? {} : { do: verb };
}

type Asker = Pick<Session, 'principal' | 'approverId' | 'roles' | 'permits'>;

/** Why somebody lacks a right; null: they have it. */
export function lacks({ permits, roles }: Asker, action: Action): string | null {
  if (permits[action] !== undefined) return null;
  return roles.length === 0
    ? `You have no role here, and this needs the right ${action}.`
    : `Your role (${roles.join(', ')}) does not include the right ${action}.`;
}

function isStill(upgrade: Upgrade): string | null {
  const { status } = upgrade;
  if (status === 'proposed' || status === 'approved') return null;
  if (status === 'emergency_applied')
    return 'It is in force already, without its quorum; it has to be ratified or rejected.';
  return `It is over: ${STATUSES[status].label}.`;
}

/** Statuses of upgrades whose effect stands. */
const IN_EFFECT: ReadonlySet<Upgrade['status']> = new Set([
  'applied',
  'emergency_applied',
  'ratified',
  'completed',
  'failed',
  'rollback_required',
]);

export function isInEffect({ status }: Pick<Upgrade, 'status'>): boolean {
  return IN_EFFECT.has(status);
}

/** Why a button is off, as the kernel would refuse it; null: it is on. The kernel decides again. */
export function whyNotDo(verb: Verb, upgrade: Upgrade, asker: Asker, mode: Mode | null): string | null {
  if (mode !== null && mode !== 'normal')
    return `The kernel is in ${mode} mode: nothing can be recorded at the moment.`;
  const { status, quorum, missingChecks, proposedBy, type } = upgrade;
  switch (verb) {
    case 'apply': {
      const why = lacks(asker, 'upgrade.apply') ?? isStill(upgrade);
      if (why !== null) return why;
      if (!quorum.reached)
        return `${quorum.approvers.length} of ${quorum.required} approvals count; ${quorum.missing} more ${quorum.missing === 1 ? 'is' : 'are'} needed.`;
      if (missingChecks.length > 0) return `Checks that must have passed first: ${missingChecks.join(', ')}.`;
      return null;
    }
    case 'emergency-apply':
      return (
        lacks(asker, 'upgrade.emergency-apply') ??
        isStill(upgrade) ??
        (type === 'rollback' ? 'A rollback needs its quorum; it cannot be applied in an emergency.' : null)
      );
    case 'withdraw':
      return (
        lacks(asker, 'upgrade.propose') ??
        (proposedBy === asker.principal ? null : `Only ${proposedBy}, who proposed it, may withdraw it.`) ??
        isStill(upgrade)
      );
    case 'complete':
      return (
        lacks(asker, 'upgrade.apply') ??
        (status === 'applied' || status === 'ratified'
          ? null
          : `Only what is applied or ratified is reported as completed or failed; it is ${STATUSES[status].label}.`)
      );
    case 'rollback':
      return (
        lacks(asker, 'upgrade.propose') ??
        (isInEffect(upgrade)
          ? null
          : `It is not in effect (${STATUSES[status].label}): there is nothing to undo.`)
      );
  }
}

/** Why an approver cannot sign; null: they can. */
export function whyNotSign(upgrade: Upgrade, asker: Asker, mode: Mode | null): string | null {
  const { status, quorum, proposedBy, application } = upgrade;
  const { approverId, principal } = asker;
  if (!STATUSES[status].isOpen) return `Nothing can be signed any more: it is ${STATUSES[status].label}.`;
  if (approverId === null) return 'You are not a member of the approver pool.';
  const why = lacks(asker, 'upgrade.decide');
  if (why !== null) return why;
  if (mode !== null && mode !== 'normal')
    return `The kernel is in ${mode} mode: nothing can be recorded at the moment.`;
  if (quorum.open.includes(approverId)) return null;
  if (quorum.approvers.includes(approverId))
    return `You have signed to ${quorum.action} it. A signature that stands is not changed.`;
  if (quorum.rejection.approvers.includes(approverId))
    return 'You have signed to reject it. A signature that stands is not changed.';
  if (proposedBy === principal) return 'You proposed it, and so have no say in it.';
  if (application?.['emergency'] === true && application['by'] === principal)
    return 'You applied it in the emergency, and so have no say in whether it stays.';
  return 'None of your keys counts for it now; see who may sign below.';
}
