import { type Mode } from '../../api/connection';
import { type Session } from '../../session/session';

/** The key that somebody is about to revoke, as it is in the address: a sign-in in between comes back to it. */
export interface Revocation {
  revoke?: string;
  of?: string;
}

export function readRevocation(search: Record<string, unknown>): Revocation {
  const { revoke, of } = search;
  return typeof revoke === 'string' && revoke !== '' && typeof of === 'string' && of !== ''
    ? { revoke, of }
    : {};
}

/** Why somebody may not revoke a key of an approver; null: they may. An approver does it for their own, a SuperAdmin for all. */
export function whyNotRevoke(
  approverId: string,
  session: Pick<Session, 'approverId' | 'roles' | 'permits'>,
  mode: Mode | null,
): string | null {
  const isOwn = session.approverId === approverId;
  const isAdmin = session.roles.includes('SuperAdmin');
  if (session.permits['approver.revoke-key'] === undefined || (!isOwn && !isAdmin))
    return 'Only its owner, or a SuperAdmin, revokes a key.';
  if (mode !== null && mode !== 'normal')
    return `The kernel is in ${mode} mode: nothing can be recorded at the moment.`;
  return null;
}

/** Why somebody may not register a passkey for an approver; null: they may. */
export function whyNotRegister(
  approverId: string,
  session: Pick<Session, 'approverId' | 'roles' | 'permits'>,
  mode: Mode | null,
): string | null {
  if (session.permits['approver.register-credential'] === undefined)
    return 'You are no approver. A SuperAdmin registers a passkey for somebody who is to become one.';
  if (approverId === '') return 'Say for whom.';
  if (session.approverId !== approverId && !session.roles.includes('SuperAdmin'))
    return 'You register passkeys for yourself only.';
  if (mode !== null && mode !== 'normal')
    return `The kernel is in ${mode} mode: nothing can be recorded at the moment.`;
  return null;
}
