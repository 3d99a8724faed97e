import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { SubscriptionReader } from './subscription.reader';
import { SubscriptionSecrets } from './subscription-secrets';
import { type Webhook, webhookView } from './webhook.view';

/** All webhooks, in the order of their creation. */
export class ListWebhooks extends Query<{ webhooks: Webhook[] }> {}

@QueryHandler(ListWebhooks)
export class ListWebhooksHandler implements IQueryHandler<ListWebhooks, { webhooks: Webhook[] }> {
  constructor(
    private readonly reader: SubscriptionReader,
    private readonly secrets: SubscriptionSecrets,
  ) {}

  async execute(): Promise<{ webhooks: Webhook[] }> {
    const { state } = await this.reader.all();
    return { webhooks: [...state.values()].map((one) => webhookView(one, this.secrets)) };
  }
}

export class GetWebhook extends Query<Webhook> {
  constructor(readonly id: string) {
    super();
  }
}

@QueryHandler(GetWebhook)
export class GetWebhookHandler implements IQueryHandler<GetWebhook, Webhook> {
  constructor(
    private readonly reader: SubscriptionReader,
    private readonly secrets: SubscriptionSecrets,
  ) {}

  async execute({ id }: GetWebhook): Promise<Webhook> {
    return webhookView(await this.reader.existing(id), this.secrets);
  }
}
