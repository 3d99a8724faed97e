import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readReviewSearch } from './review-search';

/** Not under /upgrades: an upgrade may have any name. */
const review = createRoute({
  getParentRoute: () => rootRoute,
  path: '/review',
  validateSearch: readReviewSearch,
  component: lazyRouteComponent(() => import('./review.screen'), 'ReviewScreen'),
});

export const reviewRoutes = [review] as const;
