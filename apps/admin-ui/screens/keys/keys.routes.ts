import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';

const keys = createRoute({
  getParentRoute: () => rootRoute,
  path: '/keys',
  component: lazyRouteComponent(() => import('./keys.screen'), 'KeysScreen'),
});

const key = createRoute({
  getParentRoute: () => rootRoute,
  path: '/keys/$kid',
  component: lazyRouteComponent(() => import('./key.screen'), 'KeyScreen'),
});

const rotate = createRoute({
  getParentRoute: () => rootRoute,
  path: '/keys/$kid/rotate',
  component: lazyRouteComponent(() => import('./rotate.screen'), 'RotateScreen'),
});

const retire = createRoute({
  getParentRoute: () => rootRoute,
  path: '/keys/$kid/retire',
  component: lazyRouteComponent(() => import('./retire.screen'), 'RetireScreen'),
});

const compromise = createRoute({
  getParentRoute: () => rootRoute,
  path: '/keys/$kid/compromise',
  component: lazyRouteComponent(() => import('./compromise.screen'), 'CompromiseScreen'),
});

export const keysRoutes = [keys, key, rotate, retire, compromise] as const;
