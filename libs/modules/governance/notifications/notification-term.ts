import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModeSource } from '#platform/event-store';
import { Candidate, ElectedJob } from '#platform/postgres';
import { WebhookDelivery, WebhookError } from '#platform/webhooks';
import { NotificationMetrics } from './notification.metrics';
import { NotificationOptions } from './notification.options';
import { UpgradeNotifier } from './upgrade-notifier';

/** Interval between two passes over the chain: the largest delay of a notification. */
const LOOK_EVERY_MS = 500;

/** Makes notifications and delivers them, in one kernel process at a time. */
@Injectable()
export class NotificationTerm implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly job: ElectedJob;
  private readonly logger = new Logger(NotificationTerm.name);

  constructor(
    private readonly notifier: UpgradeNotifier,
    private readonly delivery: WebhookDelivery,
    private readonly options: NotificationOptions,
    candidate: Candidate,
    modes: ModeSource,
    metrics: NotificationMetrics,
  ) {
    this.job = new ElectedJob({
      candidate,
      name: 'upgrade-notifications',
      everyMs: LOOK_EVERY_MS,
      logger: this.logger,
      mayWork: () => modes.current.mode !== 'safe-mode',
      look: (term) => this.look(term.epoch),
      beside: (term) => delivery.run(term),
      onTerm: (leading) => metrics.onTerm(leading),
    });
  }

  onApplicationBootstrap(): void {
    // With no endpoint to notify: no election, no position.
    if (this.options.endpoints.length > 0) this.job.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.job.stop();
  }

  private async look(epoch: number): Promise<boolean> {
    try {
      const more = await this.notifier.pass(epoch);
      this.delivery.wake();
      return more;
    } catch (error) {
      if (!(error instanceof WebhookError && error.code === 'overtaken')) throw error;
      this.logger.warn(error.message);
      return false;
    }
  }
}
