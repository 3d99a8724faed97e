import { Injectable } from '@nestjs/common';
import { EventStore, type Folded, FoldedStreams } from '#platform/event-store';
import {
  evolveSubscriptions,
  existing,
  NO_SUBSCRIPTIONS,
  type Subscription,
  type Subscriptions,
  SUBSCRIPTIONS,
} from './domain/subscription';

/** Subscriptions, folded from the chain. */
@Injectable()
export class SubscriptionReader {
  private readonly streams: FoldedStreams<Subscriptions>;

  constructor(store: EventStore) {
    this.streams = new FoldedStreams(store, NO_SUBSCRIPTIONS, evolveSubscriptions);
  }

  all(): Promise<Folded<Subscriptions>> {
    return this.streams.load(SUBSCRIPTIONS);
  }

  /** @throws WebhooksError `webhook_not_found` */
  async existing(id: string): Promise<Subscription> {
    return existing((await this.all()).state, id);
  }
}
