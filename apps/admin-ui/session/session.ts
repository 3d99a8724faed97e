import { queryOptions, useQuery } from '@tanstack/react-query';
import { parsed, problemOf, send } from '../api/client';
import { noteSessionEnded } from '../api/connection';

/** Actions of the kernel's matrix that pages ask about (contract, `x-policy`). */
export type Action =
  | 'audit.read'
  | 'audit.export'
  | 'pipeline.read'
  | 'audit-run.read'
  | 'keys.read'
  | 'keys.manage'
  | 'division.read'
  | 'division.write'
  | 'agent.read'
  | 'agent.write'
  | 'allocation.write'
  | 'upgrade.read'
  | 'upgrade.propose'
  | 'upgrade.decide'
  | 'upgrade.apply'
  | 'upgrade.emergency-apply'
  | 'upgrade.report-check'
  | 'approver.revoke-key'
  | 'approver.register-credential'
  | 'notification.read'
  | 'notification.manage'
  | 'webhook.read'
  | 'webhook.manage'
  | 'session.manage'
  | 'mode.manage'
  | 'retention.read'
  | 'retention.manage';

/** `GET /auth/session`: who is signed in (docs/people.md). */
export interface Session {
  readonly principal: string;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly roles: readonly string[];
  readonly division: string | null;
  readonly approverId: string | null;
  /** Why the person has no role; null where they have one. */
  readonly roleless: string | null;
  /** What the person may do, and how far. */
  readonly permits: Readonly<Partial<Record<Action, 'all' | 'own-division'>>>;
  readonly sessionId: string;
  readonly authenticatedAt: string | null;
  readonly idleEndsAt: string;
  readonly until: string;
}

async function fetchSession(before: Session | null, signal: AbortSignal): Promise<Session | null> {
  const response = await send('/auth/session', { headers: { Accept: 'application/json' }, signal });
  const body = parsed(await response.text());
  if (response.status === 401) {
    // The page stands, and says that the session has ended.
    if (before !== null) noteSessionEnded(true);
    return before;
  }
  if (!response.ok) throw problemOf(response, body);
  noteSessionEnded(false);
  return body as Session;
}

const SESSION_KEY = ['session'];

/** Null when nobody has been signed in on this page. */
export const sessionQuery = queryOptions({
  queryKey: SESSION_KEY,
  queryFn: ({ client, signal }) => fetchSession(client.getQueryData<Session>(SESSION_KEY) ?? null, signal),
  staleTime: 60_000,
  gcTime: Infinity,
});

/** The session of this page: below the gate there always is one. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  if (data === null || data === undefined) throw new Error('nobody is signed in here');
  return data;
}

/** How far the person may do something; false: not at all. */
export function permitted(session: Session, action: Action): 'all' | 'own-division' | false {
  return session.permits[action] ?? false;
}

/** Why somebody may not do something, as a sentence for a button that is off; null: they may. */
export function whyNot(session: Session, action: Action): string | null {
  if (permitted(session, action) !== false) return null;
  if (session.roles.length === 0) return `You have no role here, and this needs the right ${action}.`;
  return `Your role (${session.roles.join(', ')}) does not include the right ${action}.`;
}

/** Name to show: what the provider calls the person, or their id there. */
export function shownName({ name, subject }: Pick<Session, 'name' | 'subject'>): string {
  return name ?? subject;
}

/** Where to sign in, to come back to this very place. */
export function signInAddress({ fresh = false } = {}): string {
  const query = new URLSearchParams({ returnTo: `${location.pathname}${location.search}` });
  if (fresh) query.set('fresh', 'true');
  return `/auth/login?${query.toString()}`;
}

/** Ends the session here, and goes to where the identity provider ends its own. */
export async function signOut(): Promise<void> {
  const response = await send('/auth/logout', { method: 'POST', headers: { Accept: 'application/json' } });
  const body = parsed(await response.text());
  if (!response.ok) throw problemOf(response, body);
  // What was typed belongs to the person who leaves.
  sessionStorage.clear();
  location.assign((body as { location: string }).location);
}
