import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../shell/root.route';
import { readSearch } from '../operations/read-search';

const webhooks = createRoute({
  getParentRoute: () => rootRoute,
  path: '/webhooks',
  component: lazyRouteComponent(() => import('./webhooks.screen'), 'WebhooksScreen'),
});

/** The id of a webhook begins with `wh_`. */
const add = createRoute({
  getParentRoute: () => rootRoute,
  path: '/webhooks/new',
  component: lazyRouteComponent(() => import('./new-webhook.screen'), 'NewWebhookScreen'),
});

const webhook = createRoute({
  getParentRoute: () => rootRoute,
  path: '/webhooks/$webhookId',
  validateSearch: (search: Record<string, unknown>) => readSearch(search, ['state', 'cursor']),
  component: lazyRouteComponent(() => import('./webhook.screen'), 'WebhookScreen'),
});

export const webhooksRoutes = [webhooks, add, webhook] as const;
