import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { RetryList, type RetryPage, type RetryState } from '#platform/webhooks';
import { SubscriptionReader } from './subscription.reader';

/** Events that a webhook did not take yet, or that were given up, newest first. */
export class ListWebhookDeliveries extends Query<RetryPage> {
  constructor(
    readonly id: string,
    readonly page: { state: RetryState | null; cursor: string | null; limit: number },
  ) {
    super();
  }
}

@QueryHandler(ListWebhookDeliveries)
export class ListWebhookDeliveriesHandler implements IQueryHandler<ListWebhookDeliveries, RetryPage> {
  constructor(
    private readonly reader: SubscriptionReader,
    private readonly retries: RetryList,
  ) {}

  async execute({ id, page: { state, cursor, limit } }: ListWebhookDeliveries): Promise<RetryPage> {
    await this.reader.existing(id);
    return this.retries.page(id, { state, cursor: cursor === null ? null : Number(cursor), limit });
  }
}
