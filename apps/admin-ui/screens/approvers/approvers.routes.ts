import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readRevocation } from './revocation';

const approvers = createRoute({
  getParentRoute: () => rootRoute,
  path: '/approvers',
  validateSearch: readRevocation,
  component: lazyRouteComponent(() => import('./approvers.screen'), 'ApproversScreen'),
});

export const approversRoutes = [approvers] as const;
