import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readFilters } from './filters';

const audit = createRoute({
  getParentRoute: () => rootRoute,
  path: '/audit',
  validateSearch: readFilters,
  component: lazyRouteComponent(() => import('./audit.screen'), 'AuditScreen'),
});

const event = createRoute({
  getParentRoute: () => rootRoute,
  path: '/audit/$id',
  component: lazyRouteComponent(() => import('./event.screen'), 'EventScreen'),
});

export const auditRoutes = [audit, event] as const;
