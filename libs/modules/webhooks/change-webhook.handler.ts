import { randomBytes } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
} from '#platform/event-store';
import { AddressError } from '#platform/http-client';
import { EVERYTHING, type WebhookFilter } from './domain/filter';
import {
  decideSubscription,
  evolveSubscriptions,
  existing,
  type SubscriptionCommand,
  SUBSCRIPTIONS,
  type SubscriptionStatus,
  targetUrl,
} from './domain/subscription';
import { WebhooksError } from './domain/webhooks.error';
import { SubscriptionReader } from './subscription.reader';
import { SubscriptionSecrets } from './subscription-secrets';
import { type Webhook, webhookView } from './webhook.view';
import { WebhooksOptions } from './webhooks.options';

const ID_BYTES = 12;

/** What a caller asks of a subscription. */
export type WebhookRequest =
  | {
      kind: 'subscribe';
      url: string;
      description?: string;
      filter?: Partial<WebhookFilter>;
      status?: SubscriptionStatus;
    }
  | {
      kind: 'change';
      id: string;
      url?: string;
      description?: string;
      filter?: Partial<WebhookFilter>;
      status?: SubscriptionStatus;
    }
  | { kind: 'rotate'; id: string; overlapSeconds: number }
  | { kind: 'unsubscribe'; id: string };

/** Subscribe a webhook, change it, rotate its secret, or remove it. */
export class ChangeWebhook extends Command<CommandAnswer> {
  constructor(
    readonly request: WebhookRequest,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(ChangeWebhook)
export class ChangeWebhookHandler implements ICommandHandler<ChangeWebhook, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: SubscriptionReader,
    private readonly secrets: SubscriptionSecrets,
    private readonly options: WebhooksOptions,
  ) {
    this.contended = new ContendedDecisions(store, WebhooksError);
  }

  async execute({ request, asking }: ChangeWebhook): Promise<CommandAnswer> {
    const answer = await this.contended.decide(SUBSCRIPTIONS, asking.idempotency, async () => {
      const command = await this.commandOf(request);
      return this.attempt(command, asking);
    });
    // Added after the answer is stored for its idempotency key: the database never has the secret.
    return request.kind === 'subscribe' || request.kind === 'rotate' ? this.withSecret(answer) : answer;
  }

  private async commandOf(request: WebhookRequest): Promise<SubscriptionCommand> {
    switch (request.kind) {
      case 'subscribe': {
        const { url, description = null, filter = {}, status = 'active' } = request;
        await this.assertTarget(url);
        return {
          kind: 'subscribe',
          id: `wh_${randomBytes(ID_BYTES).toString('hex')}`,
          target: { url, description, filter: { ...EVERYTHING, ...filter }, status },
          startsAfter: await this.heads(),
          secret: this.secrets.fresh(),
        };
      }
      case 'change': {
        const { kind, id, url, description, filter, status } = request;
        if (url !== undefined) await this.assertTarget(url);
        return {
          kind,
          id,
          change: {
            ...(url !== undefined && { url }),
            ...(description !== undefined && { description }),
            ...(filter !== undefined && { filter: { ...EVERYTHING, ...filter } }),
            ...(status !== undefined && { status }),
          },
        };
      }
      case 'rotate': {
        const { kind, id, overlapSeconds } = request;
        const until = this.options.now().getTime() + overlapSeconds * 1_000;
        return { kind, id, secret: this.secrets.fresh(), previousUntil: new Date(until).toISOString() };
      }
      case 'unsubscribe':
        return request;
    }
  }

  /** The position of each shard, in their order. */
  private async heads(): Promise<number[]> {
    const heads = await this.store.heads();
    return heads.sort((a, b) => a.shard - b.shard).map(({ seq }) => seq);
  }

  /** Where it leads now; each connection is judged again. @throws WebhooksError `invalid_target` */
  private async assertTarget(url: string): Promise<void> {
    const { hostname } = targetUrl(url);
    try {
      await this.options.addresses.resolve(hostname);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      throw new WebhooksError(
        'invalid_target',
        `Events cannot be sent to this url: ${error.message}.`,
        { pointer: '/url' },
        { cause: error },
      );
    }
  }

  private async attempt(
    command: SubscriptionCommand,
    { actor, correlationId, idempotency }: Asking,
  ): Promise<CommandAnswer> {
    const { state, version } = await this.reader.all();
    const event = decideSubscription(state, command);
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: state.get(command.id)?.eventId ?? null,
        writes: [{ stream: SUBSCRIPTIONS, expectedVersion: version, events: [event] }],
      },
      idempotency,
      (committed, position) => {
        const after = committed.reduce((before, one) => evolveSubscriptions(before, one.event), state);
        const subscription = after.get(command.id) ?? existing(state, command.id);
        return answerBytes(command.kind === 'subscribe' ? 201 : 200, {
          ...webhookView(subscription, this.secrets),
          position,
        });
      },
    );
  }

  private async withSecret(answer: CommandAnswer): Promise<CommandAnswer> {
    const view = JSON.parse(Buffer.from(answer.body).toString('utf8')) as Webhook;
    const subscription = (await this.reader.all()).state.get(view.id);
    // An old request that is repeated: its secret was replaced since, or its webhook removed.
    const current = subscription?.secret.version === view.secret.version ? subscription.secret : null;
    const signingSecret = current === null ? null : this.secrets.text(view.id, current);
    return { ...answer, body: answerBytes(answer.status, { ...view, signingSecret }).body };
  }
}
