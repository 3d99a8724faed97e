import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  answered,
  askedBy,
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
} from '#platform/edge';
import { type DeliveryPage, type DeliveryState } from '#platform/webhooks';
import { RedeliverNotification } from '../redeliver-notification.handler';
import { ListNotifications } from '../list-notifications.handler';

/** openapi/kernel.yaml: the page length when a caller names none. */
const DEFAULT_LIMIT = 50;

@Controller('kernel/admin/notifications')
export class NotificationsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Get()
  @Policy('notification.read')
  async list(
    @Query() { state, cursor, limit }: { state?: DeliveryState; cursor?: string; limit?: number },
  ): Promise<DeliveryPage> {
    return this.queries.execute(
      new ListNotifications({ state: state ?? null, cursor: cursor ?? null, limit: limit ?? DEFAULT_LIMIT }),
    );
  }

  @Post(':notificationId/redeliver')
  @Policy('notification.manage')
  async redeliver(
    @Param('notificationId') id: string,
    @Body() { endpoint }: { endpoint?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const command = new RedeliverNotification(id, endpoint ?? null, askedBy(caller, context));
    return answered(context, await this.commands.execute(command));
  }
}
