import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type DeliveryPage, WebhookOutbox } from '#platform/webhooks';
import { ListNotifications } from './notifications.query';

@QueryHandler(ListNotifications)
export class ListNotificationsHandler implements IQueryHandler<ListNotifications, DeliveryPage> {
  constructor(private readonly outbox: WebhookOutbox) {}

  async execute({ page: { state, cursor, limit } }: ListNotifications): Promise<DeliveryPage> {
    return this.outbox.page({ state, cursor: cursor === null ? null : Number(cursor), limit });
  }
}
