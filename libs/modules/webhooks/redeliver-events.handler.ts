import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { divisionOf } from '#platform/edge';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
  mapFew,
} from '#platform/event-store';
import { RetryList } from '#platform/webhooks';
import { WebhookCourier } from './courier/webhook-courier';
import { fits } from './domain/filter';
import { decideSubscription, existing, type Subscription, SUBSCRIPTIONS } from './domain/subscription';
import { WebhooksError } from './domain/webhooks.error';
import { SubscriptionReader } from './subscription.reader';

/** Events that may wait for one webhook when more are asked for. */
const MAX_WAITING = 10_000;

/** Send events to a webhook again: some, or all that were given up. */
export class RedeliverEvents extends Command<CommandAnswer> {
  constructor(
    readonly id: string,
    /** Null: all dead letters. */
    readonly eventIds: readonly string[] | null,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(RedeliverEvents)
export class RedeliverEventsHandler implements ICommandHandler<RedeliverEvents, CommandAnswer> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: SubscriptionReader,
    private readonly retries: RetryList,
    private readonly courier: WebhookCourier,
  ) {}

  async execute({ id, eventIds, asking }: RedeliverEvents): Promise<CommandAnswer> {
    const { actor, correlationId, idempotency } = asking;
    const { state } = await this.reader.all();
    const events = eventIds === null ? null : await this.eventsFor(existing(state, id), eventIds);
    if ((await this.retries.pending(id)) >= MAX_WAITING) {
      throw new WebhooksError(
        'webhook_backlog_full',
        `${MAX_WAITING} events or more wait for this webhook already; ask again when they are delivered.`,
      );
    }
    const ids = events?.map(({ eventId }) => eventId) ?? null;
    const event = decideSubscription(state, { kind: 'redeliver', id, eventIds: ids });
    // Recorded first. If this process dies before the next line, the request is repeated, which does both again.
    const answer = await appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: existing(state, id).eventId,
        writes: [{ stream: SUBSCRIPTIONS, expectedVersion: 'any', events: [event] }],
      },
      idempotency,
      (_, position) => answerBytes(202, { id, eventIds: ids, position }),
    );
    if (events === null) await this.retries.reviveAll(id);
    else await this.retries.sendAgain(id, events);
    this.courier.wake();
    return answer;
  }

  private eventsFor(
    { filter }: Subscription,
    eventIds: readonly string[],
  ): Promise<{ eventId: string; type: string }[]> {
    return mapFew([...new Set(eventIds)], async (eventId) => {
      const found = await this.store.getById(eventId);
      if (found !== null && fits(filter, found.event, divisionOf)) {
        return { eventId: found.event.id, type: found.event.type };
      }
      throw new WebhooksError(
        'event_not_for_webhook',
        `There is no event ${eventId} that the filter of this webhook lets through.`,
        { eventId },
      );
    });
  }
}
