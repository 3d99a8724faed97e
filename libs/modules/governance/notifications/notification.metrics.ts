import { Injectable, Logger } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from '#platform/process';
import { type DeliveryObserver } from '#platform/webhooks';

type Backlog = Parameters<NonNullable<DeliveryObserver['onBacklog']>>[0];

/** Metrics of the delivery of notifications for Prometheus. Only the leader knows the values; the others report 0. */
@Injectable()
export class NotificationMetrics implements DeliveryObserver {
  private readonly logger = new Logger('notifications');
  private readonly leading: Gauge;
  private readonly attempts: Counter<'endpoint' | 'outcome'>;
  private readonly duration: Histogram<'endpoint'>;
  private readonly waiting: Gauge<'endpoint' | 'state'>;
  private readonly oldest: Gauge<'endpoint'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.leading = new Gauge({
      name: 'kernel_notifications_leading',
      help: '1 in the process that makes and delivers notifications.',
      registers,
    });
    this.attempts = new Counter({
      name: 'kernel_notification_attempts_total',
      help: 'Attempts to deliver a notification, by how they ended. Alert on dead.',
      labelNames: ['endpoint', 'outcome'],
      registers,
    });
    this.duration = new Histogram({
      name: 'kernel_notification_attempt_duration_seconds',
      help: 'How long an attempt took.',
      labelNames: ['endpoint'],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
      registers,
    });
    this.waiting = new Gauge({
      name: 'kernel_notifications_undelivered',
      help: 'Notifications that wait (pending) or were given up (dead).',
      labelNames: ['endpoint', 'state'],
      registers,
    });
    this.oldest = new Gauge({
      name: 'kernel_notifications_oldest_pending_seconds',
      help: 'Age of the oldest notification that waits.',
      labelNames: ['endpoint'],
      registers,
    });
  }

  onTerm(leading: boolean): void {
    this.leading.set(leading ? 1 : 0);
    if (leading) return;
    this.waiting.reset();
    this.oldest.reset();
  }

  onAttempt(endpoint: string, outcome: 'delivered' | 'failed' | 'dead', ms: number): void {
    this.attempts.inc({ endpoint, outcome });
    this.duration.observe({ endpoint }, ms / 1_000);
    if (outcome === 'dead') {
      this.logger.error(`a notification for ${endpoint} was given up (./kernel upgrade notifications)`);
    }
  }

  onBacklog(backlog: Backlog): void {
    this.waiting.reset();
    this.oldest.reset();
    for (const { endpoint, state, count, oldestS } of backlog) {
      this.waiting.set({ endpoint, state }, count);
      if (state === 'pending') this.oldest.set({ endpoint }, oldestS);
    }
  }

  onTrouble(what: string, error: unknown): void {
    this.logger.warn(`could not ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
