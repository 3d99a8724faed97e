/**
 * Sends events of any type to the webhooks that subscribed to them. What approvers and operators hear about upgrades is in
 * libs/modules/governance.
 */
export { WebhooksError } from './domain/webhooks.error';
export { WebhooksModule } from './webhooks.module';
