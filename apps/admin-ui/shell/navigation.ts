import { type Action, permitted, type Session } from '../session/session';

/** An entry of the navigation. A new screen adds itself here, and its routes in router.tsx. */
export interface NavigationEntry {
  readonly label: string;
  readonly to: string;
  /** The right without which the screen has nothing to show; null: it has something for everyone. */
  readonly needs: Action | null;
}

export const NAVIGATION: readonly NavigationEntry[] = [
  { label: 'Overview', to: '/', needs: null },
  { label: 'Upgrades', to: '/upgrades', needs: 'upgrade.read' },
  { label: 'Approvers', to: '/approvers', needs: 'upgrade.read' },
  { label: 'Review', to: '/review', needs: 'upgrade.read' },
  { label: 'Audit', to: '/audit', needs: 'audit.read' },
  { label: 'Audit runs', to: '/audit/runs', needs: 'audit-run.read' },
  { label: 'Why', to: '/why', needs: 'audit.read' },
  { label: 'Divisions', to: '/divisions', needs: 'division.read' },
  { label: 'Agents', to: '/agents', needs: 'agent.read' },
  { label: 'Keys', to: '/keys', needs: 'keys.read' },
  { label: 'Notifications', to: '/notifications', needs: 'notification.read' },
  { label: 'Webhooks', to: '/webhooks', needs: 'webhook.read' },
  { label: 'Sessions', to: '/sessions', needs: 'session.manage' },
  { label: 'System', to: '/system', needs: null },
];

/** The entry whose screens a path is of: the nearest one, since one may be below another. */
export function entryOf(entries: readonly NavigationEntry[], path: string): NavigationEntry | undefined {
  return entries
    .filter(({ to }) => path === to || (to !== '/' && path.startsWith(`${to}/`)))
    .reduce<NavigationEntry | undefined>(
      (nearest, entry) => (nearest === undefined || entry.to.length > nearest.to.length ? entry : nearest),
      undefined,
    );
}

/** What is of use to this person. The others are reached by their address, and say why they are closed. */
export function navigationFor(session: Session): NavigationEntry[] {
  return NAVIGATION.filter(({ needs }) => needs === null || permitted(session, needs) !== false);
}
