import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readSearch } from '../operations/read-search';

const sessions = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sessions',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['cursor']),
  component: lazyRouteComponent(() => import('./sessions.screen'), 'SessionsScreen'),
});

export const sessionsRoutes = [sessions] as const;
