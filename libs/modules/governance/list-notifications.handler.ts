import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type DeliveryPage, type DeliveryState, WebhookOutbox } from '#platform/webhooks';

/** Notifications that are pending, recently delivered, or given up, newest first. */
export class ListNotifications extends Query<DeliveryPage> {
  constructor(readonly page: { state: DeliveryState | null; cursor: string | null; limit: number }) {
    super();
  }
}

@QueryHandler(ListNotifications)
export class ListNotificationsHandler implements IQueryHandler<ListNotifications, DeliveryPage> {
  constructor(private readonly outbox: WebhookOutbox) {}

  async execute({ page: { state, cursor, limit } }: ListNotifications): Promise<DeliveryPage> {
    return this.outbox.page({ state, cursor: cursor === null ? null : Number(cursor), limit });
  }
}
