import { Injectable, Logger } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from '#platform/process';
import { type RetryList } from '#platform/webhooks';
import { type LaneObserver } from './delivery-lane';

/** Metrics of the webhooks for Prometheus. Only the leader knows the values; the others report 0. */
@Injectable()
export class WebhookMetrics implements LaneObserver {
  private readonly logger = new Logger('webhooks');
  private readonly leading: Gauge;
  private readonly attempts: Counter<'webhook' | 'outcome'>;
  private readonly duration: Histogram;
  private readonly undelivered: Gauge<'webhook' | 'state'>;
  private readonly behind: Gauge<'webhook'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.leading = new Gauge({
      name: 'kernel_webhooks_leading',
      help: '1 in the process that delivers events to webhooks.',
      registers,
    });
    this.attempts = new Counter({
      name: 'kernel_webhook_attempts_total',
      help: 'Attempts to deliver an event to a webhook, by how they ended. Alert on dead.',
      labelNames: ['webhook', 'outcome'],
      registers,
    });
    this.duration = new Histogram({
      name: 'kernel_webhook_attempt_duration_seconds',
      help: 'How long an attempt to deliver an event took.',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
      registers,
    });
    this.undelivered = new Gauge({
      name: 'kernel_webhook_undelivered',
      help: 'Events whose delivery failed and that wait for a retry (pending) or were given up (dead).',
      labelNames: ['webhook', 'state'],
      registers,
    });
    this.behind = new Gauge({
      name: 'kernel_webhook_behind_events',
      help: 'Events of the chain that a webhook has not been looked at for yet, whether it wants them or not.',
      labelNames: ['webhook'],
      registers,
    });
  }

  onTerm(leading: boolean): void {
    this.leading.set(leading ? 1 : 0);
    if (leading) return;
    this.undelivered.reset();
    this.behind.reset();
  }

  onAttempt(webhook: string, outcome: 'delivered' | 'failed' | 'dead', ms: number): void {
    this.attempts.inc({ webhook, outcome });
    this.duration.observe(ms / 1_000);
    if (outcome === 'dead') {
      this.logger.error(`an event for ${webhook} was given up (./kernel webhook deliveries ${webhook})`);
    }
  }

  onBacklog(backlog: Awaited<ReturnType<RetryList['backlog']>>, behind: ReadonlyMap<string, number>): void {
    this.undelivered.reset();
    for (const { subscription: webhook, state, count } of backlog) {
      this.undelivered.set({ webhook, state }, count);
    }
    this.behind.reset();
    for (const [webhook, events] of behind) this.behind.set({ webhook }, events);
  }

  onTrouble(what: string, error: unknown): void {
    this.logger.warn(`could not ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
