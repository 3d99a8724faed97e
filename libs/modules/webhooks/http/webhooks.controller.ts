import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ReadsStore } from '#platform/audit-stream';
import { answered, Asking, type BytesAnswer, pageOf, type PageParameters, Policy } from '#platform/edge';
import { type RetryPage, type RetryState } from '#platform/webhooks';
import { ChangeWebhook, type WebhookRequest } from '../change-webhook.handler';
import { ListWebhookDeliveries } from '../list-webhook-deliveries.handler';
import { GetWebhook, ListWebhooks } from '../list-webhooks.handler';
import { RedeliverEvents } from '../redeliver-events.handler';
import { type Webhook } from '../webhook.view';

type Asked<K extends WebhookRequest['kind']> = Omit<Extract<WebhookRequest, { kind: K }>, 'kind' | 'id'>;

/** openapi/kernel.yaml: how long the secret before a rotation signs as well, when the caller does not say. */
const OVERLAP_S = 86_400;

@Controller('kernel/webhooks')
export class WebhooksController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Get()
  @Policy('webhook.read')
  @ReadsStore()
  async list(): Promise<{ webhooks: Webhook[] }> {
    return this.queries.execute(new ListWebhooks());
  }

  @Post()
  @Policy('webhook.manage')
  async subscribe(@Body() body: Asked<'subscribe'>, @Asking() asking: Asking): Promise<BytesAnswer> {
    return this.change({ kind: 'subscribe', ...body }, asking);
  }

  @Get(':webhookId')
  @Policy('webhook.read')
  @ReadsStore()
  async webhook(@Param('webhookId') id: string): Promise<Webhook> {
    return this.queries.execute(new GetWebhook(id));
  }

  @Post(':webhookId')
  @Policy('webhook.manage')
  async update(
    @Param('webhookId') id: string,
    @Body() body: Asked<'change'>,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.change({ kind: 'change', id, ...body }, asking);
  }

  @Post(':webhookId/rotate-secret')
  @Policy('webhook.manage')
  async rotate(
    @Param('webhookId') id: string,
    @Body() body: { overlapSeconds?: number } | undefined,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const overlapSeconds = body?.overlapSeconds ?? OVERLAP_S;
    return this.change({ kind: 'rotate', id, overlapSeconds }, asking);
  }

  @Post(':webhookId/remove')
  @Policy('webhook.manage')
  async remove(@Param('webhookId') id: string, @Asking() asking: Asking): Promise<BytesAnswer> {
    return this.change({ kind: 'unsubscribe', id }, asking);
  }

  @Get(':webhookId/deliveries')
  @Policy('webhook.read')
  async deliveries(
    @Param('webhookId') id: string,
    @Query() query: PageParameters & { state?: RetryState },
  ): Promise<RetryPage> {
    const { state = null, cursor = null } = query;
    return this.queries.execute(new ListWebhookDeliveries(id, { state, cursor, limit: pageOf(query).limit }));
  }

  @Post(':webhookId/redeliver')
  @Policy('webhook.manage')
  async redeliver(
    @Param('webhookId') id: string,
    @Body() body: { eventIds?: string[] } | undefined,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return answered(await this.commands.execute(new RedeliverEvents(id, body?.eventIds ?? null, asking)));
  }

  private async change(request: WebhookRequest, asking: Asking): Promise<BytesAnswer> {
    return answered(await this.commands.execute(new ChangeWebhook(request, asking)));
  }
}
