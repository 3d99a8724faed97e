import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readSearch } from '../operations/read-search';

const notifications = createRoute({
  getParentRoute: () => rootRoute,
  path: '/notifications',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['state', 'cursor']),
  component: lazyRouteComponent(() => import('./notifications.screen'), 'NotificationsScreen'),
});

export const notificationsRoutes = [notifications] as const;
