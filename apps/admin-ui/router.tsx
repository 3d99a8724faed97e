import { createRouter } from '@tanstack/react-router';
import { Loading } from './parts/states';
import { approversRoutes } from './screens/approvers/approvers.routes';
import { auditRoutes } from './screens/audit/audit.routes';
import { auditRunsRoutes } from './screens/audit-runs/audit-runs.routes';
import { divisionsRoutes } from './screens/divisions/divisions.routes';
import { keysRoutes } from './screens/keys/keys.routes';
import { notificationsRoutes } from './screens/notifications/notifications.routes';
import { overviewRoutes } from './screens/overview/overview.routes';
import { reviewRoutes } from './screens/review/review.routes';
import { sessionsRoutes } from './screens/sessions/sessions.routes';
import { systemRoutes } from './screens/system/system.routes';
import { upgradesRoutes } from './screens/upgrades/upgrades.routes';
import { webhooksRoutes } from './screens/webhooks/webhooks.routes';
import { FailedScreen, rootRoute } from './shell/root.route';

/** Texts as they are: an address is to be read, and to be written by others. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const entries = Object.entries(search).flatMap(([name, value]) =>
    value === undefined || value === null || value === '' ? [] : [[name, String(value as string | number)]],
  );
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`;
}

export const router = createRouter({
  // A screen adds its routes here, and its entry in shell/navigation.ts.
  routeTree: rootRoute.addChildren([
    ...overviewRoutes,
    ...auditRoutes,
    ...auditRunsRoutes,
    ...upgradesRoutes,
    ...approversRoutes,
    ...reviewRoutes,
    ...keysRoutes,
    ...divisionsRoutes,
    ...notificationsRoutes,
    ...webhooksRoutes,
    ...sessionsRoutes,
    ...systemRoutes,
  ]),
  parseSearch,
  stringifySearch,
  defaultPendingComponent: Loading,
  defaultErrorComponent: FailedScreen,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
