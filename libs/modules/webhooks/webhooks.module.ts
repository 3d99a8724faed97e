import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RowKey } from '#platform/event-store';
import { IntegrityAlarm } from '#platform/kernel-store';
import { Candidate, Database } from '#platform/postgres';
import { RetryList } from '#platform/webhooks';
import { ChangeWebhookHandler } from './change-webhook.handler';
import { WebhookCourier } from './courier/webhook-courier';
import { WebhookMetrics } from './courier/webhook.metrics';
import { WebhookTerm } from './courier/webhook-term';
import { WebhooksController } from './http/webhooks.controller';
import { ListWebhookDeliveriesHandler } from './list-webhook-deliveries.handler';
import { GetWebhookHandler, ListWebhooksHandler } from './list-webhooks.handler';
import { RedeliverEventsHandler } from './redeliver-events.handler';
import { SubscriptionReader } from './subscription.reader';
import { SubscriptionSecrets } from './subscription-secrets';
import { WebhooksOptions } from './webhooks.options';

/** Webhooks for events of any type. Needs EventStore, AuditIndex, PositionReached, Database, RowKey, IntegrityAlarm, ModeSource and Registry from global modules. */
@Module({})
export class WebhooksModule {
  static register({ candidate, ...options }: WebhooksOptions & { candidate: Candidate }): DynamicModule {
    return {
      module: WebhooksModule,
      imports: [CqrsModule],
      controllers: [WebhooksController],
      providers: [
        { provide: WebhooksOptions, useValue: options },
        { provide: Candidate, useValue: candidate },
        {
          provide: RetryList,
          useFactory: (database: Database, rowKey: RowKey, alarm: IntegrityAlarm) =>
            new RetryList(database, rowKey, (fault) => alarm.raise(fault)),
          inject: [Database, RowKey, IntegrityAlarm],
        },
        SubscriptionReader,
        SubscriptionSecrets,
        WebhookMetrics,
        WebhookCourier,
        WebhookTerm,
        ChangeWebhookHandler,
        RedeliverEventsHandler,
        ListWebhooksHandler,
        GetWebhookHandler,
        ListWebhookDeliveriesHandler,
      ],
    };
  }
}
