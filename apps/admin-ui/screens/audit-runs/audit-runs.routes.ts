import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readSearch } from '../operations/read-search';

const runs = createRoute({
  getParentRoute: () => rootRoute,
  path: '/audit/runs',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['cursor']),
  component: lazyRouteComponent(() => import('./audit-runs.screen'), 'AuditRunsScreen'),
});

const run = createRoute({
  getParentRoute: () => rootRoute,
  path: '/audit/runs/$runId',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['kind']),
  component: lazyRouteComponent(() => import('./audit-run.screen'), 'AuditRunScreen'),
});

export const auditRunsRoutes = [runs, run] as const;
