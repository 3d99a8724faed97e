import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';

const system = createRoute({
  getParentRoute: () => rootRoute,
  path: '/system',
  component: lazyRouteComponent(() => import('./system.screen'), 'SystemScreen'),
});

const mode = createRoute({
  getParentRoute: () => rootRoute,
  path: '/system/mode',
  component: lazyRouteComponent(() => import('./change-mode.screen'), 'ChangeModeScreen'),
});

const holds = createRoute({
  getParentRoute: () => rootRoute,
  path: '/system/legal-holds',
  component: lazyRouteComponent(() => import('./legal-holds.screen'), 'LegalHoldsScreen'),
});

export const systemRoutes = [system, mode, holds] as const;
