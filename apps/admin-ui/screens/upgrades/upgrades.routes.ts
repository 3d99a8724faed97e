import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readListSearch } from './lists';
import { readVerb } from './what-may-be-done';

const list = createRoute({
  getParentRoute: () => rootRoute,
  path: '/upgrades',
  validateSearch: readListSearch,
  component: lazyRouteComponent(() => import('./upgrades.screen'), 'UpgradesScreen'),
});

const one = createRoute({
  getParentRoute: () => rootRoute,
  path: '/upgrades/$id',
  validateSearch: readVerb,
  component: lazyRouteComponent(() => import('./upgrade.screen'), 'UpgradeScreen'),
});

/** Not under /upgrades: an upgrade may have any name. */
const propose = createRoute({
  getParentRoute: () => rootRoute,
  path: '/propose',
  component: lazyRouteComponent(() => import('./propose.screen'), 'ProposeScreen'),
});

export const upgradesRoutes = [list, one, propose] as const;
