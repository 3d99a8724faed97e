import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readSearch } from '../operations/read-search';

const divisions = createRoute({
  getParentRoute: () => rootRoute,
  path: '/divisions',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['cursor']),
  component: lazyRouteComponent(() => import('./divisions.screen'), 'DivisionsScreen'),
});

const division = createRoute({
  getParentRoute: () => rootRoute,
  path: '/divisions/$id',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['version']),
  component: lazyRouteComponent(() => import('./division.screen'), 'DivisionScreen'),
});

const allocations = createRoute({
  getParentRoute: () => rootRoute,
  path: '/divisions/$id/allocations',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['cursor']),
  component: lazyRouteComponent(() => import('./allocations.screen'), 'AllocationsScreen'),
});

const agents = createRoute({
  getParentRoute: () => rootRoute,
  path: '/agents',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['division', 'cursor']),
  component: lazyRouteComponent(() => import('./agents.screen'), 'AgentsScreen'),
});

const agent = createRoute({
  getParentRoute: () => rootRoute,
  path: '/agents/$id',
  component: lazyRouteComponent(() => import('./agent.screen'), 'AgentScreen'),
});

const why = createRoute({
  getParentRoute: () => rootRoute,
  path: '/why',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['node', 'direction']),
  component: lazyRouteComponent(() => import('./why.screen'), 'WhyScreen'),
});

export const divisionsRoutes = [divisions, division, allocations, agents, agent, why] as const;
