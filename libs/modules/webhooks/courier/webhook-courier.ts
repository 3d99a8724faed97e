import { Injectable, Logger } from '@nestjs/common';
import { AuditIndex } from '#platform/audit-stream';
import { EventStore, ModeSource } from '#platform/event-store';
import { type Term, WakeUp } from '#platform/postgres';
import { Limiter } from '#platform/resilience';
import { RetryList } from '#platform/webhooks';
import { SubscriptionReader } from '../subscription.reader';
import { SubscriptionSecrets } from '../subscription-secrets';
import { WebhooksOptions } from '../webhooks.options';
import { DeliveryLane, type LaneParts } from './delivery-lane';
import { WebhookMetrics } from './webhook.metrics';

/** Look-ups of single events by all lanes at a time. */
const READS = 3;
const COUNT_EVERY_MS = 5_000;
const PRUNE_EVERY_MS = 60_000;

interface RunningLane {
  lane: DeliveryLane;
  /** The event that made the subscription as this lane knows it. */
  eventId: string;
  readonly stop: () => Promise<void>;
}

/** Keeps a lane for each active subscription, as the chain has them, for as long as this process is the leader. */
@Injectable()
export class WebhookCourier {
  private readonly logger = new Logger('webhooks');
  private readonly wakeUp = new WakeUp();
  private readonly lanes = new Map<string, RunningLane>();
  private readonly parts: LaneParts;
  private countedAt = -Infinity;
  private prunedAt = -Infinity;

  constructor(
    index: AuditIndex,
    store: EventStore,
    secrets: SubscriptionSecrets,
    options: WebhooksOptions,
    modes: ModeSource,
    private readonly retries: RetryList,
    private readonly reader: SubscriptionReader,
    private readonly metrics: WebhookMetrics,
  ) {
    const mayWork = () => modes.current.mode !== 'safe-mode';
    const [reads, pages] = [new Limiter(READS), new Limiter(1)];
    const { wakeUp } = this;
    this.parts = {
      index,
      store,
      retries,
      secrets,
      options,
      observer: metrics,
      reads,
      pages,
      mayWork,
      wakeUp,
    };
  }

  /** Something is due. */
  wake(): void {
    this.wakeUp.signal();
  }

  /** Starts and stops lanes until there is one for each active subscription. */
  async look(term: Pick<Term, 'signal' | 'epoch'>): Promise<void> {
    const { state } = await this.reader.all();
    for (const [id, { eventId, stop }] of this.lanes) {
      const subscription = state.get(id);
      if (subscription?.status === 'active' && subscription.eventId === eventId) continue;
      await stop();
      this.lanes.delete(id);
    }
    for (const [id, subscription] of state) {
      if (subscription.status !== 'active' || this.lanes.has(id) || term.signal.aborted) continue;
      const lane = new DeliveryLane(subscription, term.epoch, this.parts);
      const stopping = new AbortController();
      const running: RunningLane = {
        lane,
        eventId: subscription.eventId,
        stop: () => {
          stopping.abort();
          return ended;
        },
      };
      const ended = lane
        .run(AbortSignal.any([term.signal, stopping.signal]))
        .catch((error: unknown) => this.logger.error(`the lane of ${id} ended: ${String(error)}`))
        // The next look begins another.
        .finally(() => this.lanes.get(id) === running && this.lanes.delete(id));
      this.lanes.set(id, running);
    }
    await this.keepHouse([...state.keys()]);
  }

  /** Ends all lanes. */
  async end(): Promise<void> {
    const running = [...this.lanes.values()];
    this.lanes.clear();
    await Promise.all(running.map(({ stop }) => stop()));
  }

  private async keepHouse(subscriptions: readonly string[]): Promise<void> {
    const now = performance.now();
    if (now - this.countedAt >= COUNT_EVERY_MS) {
      const positions = await this.parts.index.positions();
      const behind = new Map<string, number>();
      for (const [id, { lane }] of this.lanes) {
        const { places } = lane;
        if (places === null) continue;
        const events = positions.reduce(
          (sum, { shard, seq }) => sum + Math.max(0, seq - (places[shard] ?? 0)),
          0,
        );
        behind.set(id, events);
      }
      this.metrics.onBacklog(await this.retries.backlog(), behind);
      this.countedAt = now;
    }
    if (now - this.prunedAt >= PRUNE_EVERY_MS) {
      await this.retries.prune(subscriptions);
      this.prunedAt = now;
    }
  }
}
