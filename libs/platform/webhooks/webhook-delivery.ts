import { WakeUp } from '#platform/postgres';
import { type HttpClient } from '#platform/http-client';
import { clientFor, postWebhook } from './post-webhook';
import { DEFAULT_SCHEDULE, type RetrySchedule, waitAfter } from './retry-schedule';
import { type WebhookEndpoint } from './webhook-endpoint';
import { type DueDelivery, type WebhookOutbox } from './webhook-outbox';

export interface DeliveryOptions {
  endpoints: readonly WebhookEndpoint[];
  /** Limit for connecting, sending and the answer together. */
  timeoutMs: number;
  schedule?: Partial<RetrySchedule>;
  observer?: DeliveryObserver;
}

export interface DeliveryObserver {
  onAttempt?(endpoint: string, outcome: 'delivered' | 'failed' | 'dead', ms: number): void;
  /** Waiting and dead deliveries, by endpoint. */
  onBacklog?(backlog: Awaited<ReturnType<WebhookOutbox['backlog']>>): void;
  /** Failures of this side; tried again. */
  onTrouble?(what: string, error: unknown): void;
}

/** The term of the leader (libs/platform/postgres/leadership). */
export interface DeliveryTerm {
  readonly signal: AbortSignal;
  holds(): boolean;
}

/** Concurrent deliveries to one endpoint. */
const PARALLEL = 4;
/** Longest delay of a retry; `wake` announces new deliveries. */
const POLL_MS = 500;
const BACKLOG_EVERY_MS = 5_000;
const PRUNE_EVERY_MS = 60_000;

/**
 * Sends due deliveries, each endpoint in a lane of its own: one that hangs or fails delays no other. The outcome is
 * written after the answer, so deliveries that were running when this process died are sent again: at least once.
 */
export class WebhookDelivery {
  private readonly schedule: RetrySchedule;
  private readonly observer: DeliveryObserver;
  private readonly wakeUp = new WakeUp();

  constructor(
    private readonly outbox: WebhookOutbox,
    private readonly options: DeliveryOptions,
  ) {
    this.schedule = { ...DEFAULT_SCHEDULE, ...options.schedule };
    this.observer = options.observer ?? {};
  }

  /** Something new is due. */
  wake(): void {
    this.wakeUp.signal();
  }

  /** Runs for as long as the term holds. */
  async run(term: DeliveryTerm): Promise<void> {
    await this.repeat(term, 'abandon what has no endpoint any more', Infinity, () =>
      this.outbox.abandonAllBut(this.options.endpoints.map(({ name }) => name)),
    );
    await Promise.all([
      ...this.options.endpoints.map((endpoint) => this.lane(endpoint, term)),
      this.repeat(term, 'count what waits', BACKLOG_EVERY_MS, async () =>
        this.observer.onBacklog?.(await this.outbox.backlog()),
      ),
      this.repeat(term, 'forget old deliveries', PRUNE_EVERY_MS, () => this.outbox.prune()),
    ]);
  }

  /** @param everyMs Infinity: once, as soon as it succeeds */
  private async repeat(
    term: DeliveryTerm,
    what: string,
    everyMs: number,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const never = new WakeUp();
    while (term.holds()) {
      let failed = false;
      try {
        await work();
        if (everyMs === Infinity) return;
      } catch (error) {
        failed = true;
        this.observer.onTrouble?.(what, error);
      }
      await never.wait(never.mark, failed ? POLL_MS : everyMs, term.signal);
    }
  }

  private async lane(endpoint: WebhookEndpoint, term: DeliveryTerm): Promise<void> {
    const http = clientFor(endpoint, this.options.timeoutMs, PARALLEL);
    try {
      while (term.holds()) {
        const { mark } = this.wakeUp;
        let due: DueDelivery[] = [];
        let settled = true;
        try {
          due = await this.outbox.due(endpoint.name, PARALLEL);
          settled = (await Promise.all(due.map((one) => this.attempt(endpoint, one, http, term)))).every(
            Boolean,
          );
        } catch (error) {
          settled = false;
          this.observer.onTrouble?.(`deliver to ${endpoint.name}`, error);
        }
        // A delivery whose outcome could not be written is still due: without a pause it would be sent over and over.
        if (due.length === 0 || !settled) {
          await this.wakeUp.wait(settled ? mark : this.wakeUp.mark, POLL_MS, term.signal);
        }
      }
    } finally {
      await http.destroy();
    }
  }

  /** Returns false when the outcome could not be written. */
  private async attempt(
    endpoint: WebhookEndpoint,
    { id, body, attempts }: DueDelivery,
    http: HttpClient,
    term: DeliveryTerm,
  ): Promise<boolean> {
    const { timeoutMs } = this.options;
    const startedAt = performance.now();
    const outcome = await postWebhook(endpoint, { id, body }, { http, timeoutMs, signal: term.signal });
    const tell = (what: 'delivered' | 'failed' | 'dead') =>
      this.observer.onAttempt?.(endpoint.name, what, performance.now() - startedAt);
    try {
      if (outcome.delivered) {
        await this.outbox.delivered(id, endpoint.name, outcome.status);
        tell('delivered');
        return true;
      }
      // It was cut off because the term ended: the outcome is unknown, so it is sent again.
      if (outcome.status === null && term.signal.aborted) return true;
      const { status, error, retryAfterMs, gone } = outcome;
      const waitMs = gone ? null : waitAfter(attempts + 1, this.schedule, retryAfterMs);
      await this.outbox.failed(id, endpoint.name, { status, error, waitMs });
      tell(waitMs === null ? 'dead' : 'failed');
      return true;
    } catch (error) {
      this.observer.onTrouble?.(`note what came of ${id} at ${endpoint.name}`, error);
      return false;
    }
  }
}
