import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
} from '#platform/event-store';
import { WebhookDelivery, WebhookOutbox } from '#platform/webhooks';
import { GovernanceError } from './domain/governance.error';

/** Try again to deliver a notification that could not be delivered. */
export class RedeliverNotification extends Command<CommandAnswer> {
  constructor(
    readonly id: string,
    /** Null: every endpoint at which it is dead. */
    readonly endpoint: string | null,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(RedeliverNotification)
export class RedeliverNotificationHandler implements ICommandHandler<RedeliverNotification, CommandAnswer> {
  constructor(
    private readonly store: EventStore,
    private readonly outbox: WebhookOutbox,
    private readonly delivery: WebhookDelivery,
  ) {}

  async execute({ id, endpoint, asking }: RedeliverNotification): Promise<CommandAnswer> {
    const endpoints = await this.outbox.undelivered(id, endpoint);
    if (endpoints.length === 0) {
      const where = endpoint === null ? '' : ` for ${endpoint}`;
      throw new GovernanceError(
        'notification_not_found',
        `There is no notification ${id}${where} that was not delivered.`,
      );
    }
    const { actor, correlationId, idempotency } = asking;
    // Recorded first. If this process dies before the next line, the request is repeated, which does both again.
    const answer = await appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        writes: [
          {
            stream: `notification/${id}`,
            expectedVersion: 'any',
            events: [{ type: 'notification.redelivery_requested', payload: { id, endpoints } }],
          },
        ],
      },
      idempotency,
      (_, position) => answerBytes(202, { id, endpoints, position }),
    );
    await this.outbox.revive(id, endpoint);
    this.delivery.wake();
    return answer;
  }
}
