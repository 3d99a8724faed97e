import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { standForElection, type Term } from '#platform/event-store';
import { WebhookDelivery, WebhookError } from '#platform/webhooks';
import { NotificationOptions } from './notification.options';
import { UpgradeNotifier } from './upgrade-notifier';

/** Between two looks at the chain: how late a notification may be. */
const PASS_EVERY_MS = 500;
/** After a look that failed: mostly because the database is away. */
const RETRY_MS = 2_000;

/** Makes notifications and delivers them, in one kernel process at a time (libs/platform/event-store/leadership). */
@Injectable()
export class NotificationTerm implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(NotificationTerm.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly notifier: UpgradeNotifier,
    private readonly delivery: WebhookDelivery,
    private readonly options: NotificationOptions,
  ) {}

  onApplicationBootstrap(): void {
    const { databaseUrl: url, holder, endpoints } = this.options;
    // Nobody is to be told: no election, no position.
    if (endpoints.length === 0) return;
    this.running = standForElection(
      {
        url,
        name: 'upgrade-notifications',
        holder,
        observer: {
          onElected: () => this.options.onTerm(true),
          onEnded: () => this.options.onTerm(false),
        },
      },
      async (term) => {
        await Promise.all([this.lead(term), this.delivery.run(term)]);
      },
      this.stopping.signal,
    ).catch((error: unknown) => this.logger.error(`notifications ended: ${String(error)}`));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async lead(term: Term): Promise<void> {
    while (term.holds()) {
      let pause = PASS_EVERY_MS;
      if (this.options.mayWork()) {
        try {
          const more = await this.notifier.pass(term.epoch);
          this.delivery.wake();
          if (more) continue;
        } catch (error) {
          const overtaken = error instanceof WebhookError && error.code === 'overtaken';
          this.logger.warn(
            `the notifier could not look: ${error instanceof Error ? error.message : String(error)}`,
          );
          pause = overtaken ? PASS_EVERY_MS : RETRY_MS;
        }
      }
      await delay(pause, undefined, { signal: term.signal }).catch(() => undefined);
    }
  }
}
