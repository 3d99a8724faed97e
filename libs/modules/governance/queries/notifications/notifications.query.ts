import { Query } from '@nestjs/cqrs';
import { type DeliveryPage, type DeliveryState } from '#platform/webhooks';

/** Notifications on their way, delivered lately, or given up, newest first. */
export class ListNotifications extends Query<DeliveryPage> {
  constructor(readonly page: { state: DeliveryState | null; cursor: string | null; limit: number }) {
    super();
  }
}
