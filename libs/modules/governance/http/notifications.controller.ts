import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { answered, Asking, type BytesAnswer, pageOf, type PageParameters, Policy } from '#platform/edge';
import { type DeliveryPage, type DeliveryState } from '#platform/webhooks';
import { RedeliverNotification } from '../redeliver-notification.handler';
import { ListNotifications } from '../list-notifications.handler';

@Controller('kernel/admin/notifications')
export class NotificationsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Get()
  @Policy('notification.read')
  async list(@Query() query: PageParameters & { state?: DeliveryState }): Promise<DeliveryPage> {
    const { state = null, cursor = null } = query;
    return this.queries.execute(new ListNotifications({ state, cursor, limit: pageOf(query).limit }));
  }

  @Post(':notificationId/redeliver')
  @Policy('notification.manage')
  async redeliver(
    @Param('notificationId') id: string,
    @Body() { endpoint }: { endpoint?: string },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const command = new RedeliverNotification(id, endpoint ?? null, asking);
    return answered(await this.commands.execute(command));
  }
}
