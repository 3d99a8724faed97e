import { once } from 'node:events';
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModeSource } from '#platform/event-store';
import { Candidate, ElectedJob, type Term } from '#platform/postgres';
import { WebhookCourier } from './webhook-courier';
import { WebhookMetrics } from './webhook.metrics';

/** Interval between two looks at the subscriptions: how soon a change counts. */
const LOOK_EVERY_MS = 500;

/** Delivers events to webhooks, in one kernel process at a time. */
@Injectable()
export class WebhookTerm implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly job: ElectedJob;

  constructor(courier: WebhookCourier, candidate: Candidate, modes: ModeSource, metrics: WebhookMetrics) {
    this.job = new ElectedJob({
      candidate,
      name: 'webhooks',
      everyMs: LOOK_EVERY_MS,
      logger: new Logger(WebhookTerm.name),
      mayWork: () => modes.current.mode !== 'safe-mode',
      look: (term) => courier.look(term),
      beside: async (term) => {
        await ended(term);
        await courier.end();
      },
      onTerm: (leading) => metrics.onTerm(leading),
    });
  }

  onApplicationBootstrap(): void {
    this.job.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.job.stop();
  }
}

async function ended({ signal }: Term): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
