import { AuditIndex } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import { EventStore, type StoredEvent } from '#platform/event-store';
import { type HttpClient } from '#platform/http-client';
import { WakeUp } from '#platform/postgres';
import { halfJitter, Limiter, pause } from '#platform/resilience';
import { placeOf } from '#platform/tracing';
import {
  clientFor,
  DEFAULT_SCHEDULE,
  type FailedAttempt,
  type Outcome,
  postWebhook,
  RetryList,
  type RetrySchedule,
  trusting,
  waitAfter,
  WebhookError,
} from '#platform/webhooks';
import { CLOUD_EVENT_TYPE, cloudEventOf } from '../domain/cloud-event';
import { fits, indexFilter } from '../domain/filter';
import { type Subscription } from '../domain/subscription';
import { SubscriptionSecrets } from '../subscription-secrets';
import { WebhooksOptions } from '../webhooks.options';

/** Concurrent deliveries to one receiver. */
const PARALLEL = 4;
/** Events read at a time, of all shards together. They are sent again when this process dies before it noted them. */
const PAGE = 64;
/** Failed deliveries that wait for their retries. Beyond it, events wait in the chain, which keeps them better. */
export const MAX_PENDING = 1_000;
/** Longest delay of a new event or a retry. */
const POLL_MS = 500;
/** While nothing is sent, the place is noted so often: what was passed over is looked at again after a restart. */
const NOTE_EVERY_MS = 10_000;
/** A receiver that refuses everything gets no further new events for a while, up to the longer time. */
const [HOLD_MS, LONGEST_HOLD_MS] = [1_000, 5 * 60_000];

const UNREADABLE = 'the event could not be read; the log of the kernel says why';

export interface LaneObserver {
  onAttempt(webhook: string, outcome: 'delivered' | 'failed' | 'dead', ms: number): void;
  /** Failures of this side; tried again. */
  onTrouble(what: string, error: unknown): void;
}

export interface LaneParts {
  readonly index: AuditIndex;
  readonly store: Pick<EventStore, 'getById' | 'traceOf'>;
  readonly retries: RetryList;
  readonly secrets: SubscriptionSecrets;
  readonly options: WebhooksOptions;
  readonly observer: LaneObserver;
  /** Shared by all lanes: requests of callers must find a connection, and the processor, too. */
  readonly reads: Limiter;
  readonly pages: Limiter;
  readonly mayWork: () => boolean;
  readonly wakeUp: WakeUp;
}

/**
 * Sends the events of one subscription, from its place in the index on: a receiver that hangs or fails delays no other. The
 * place moves when every event up to it was delivered or noted for a retry: at least once.
 */
export class DeliveryLane {
  private readonly schedule: RetrySchedule;
  private readonly turns = new Limiter(PARALLEL);
  private place: number[] | null = null;
  /** Another wrote the row of the place: it is looked at before anything more is sent. */
  private overtaken = false;
  private notedAt = 0;
  private refusals = 0;
  private heldUntil = 0;

  constructor(
    readonly subscription: Subscription,
    private readonly epoch: number,
    private readonly parts: LaneParts,
  ) {
    this.schedule = { ...DEFAULT_SCHEDULE, ...parts.options.schedule };
  }

  /** Where it is in each shard; null before the first look. */
  get places(): readonly number[] | null {
    return this.place;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { wakeUp, mayWork, options, observer } = this.parts;
    const { url, id } = this.subscription;
    let ca = options.ca();
    const http = clientFor({ url, ca }, options.timeoutMs, PARALLEL, options.addresses);
    try {
      while (!signal.aborted) {
        const { mark } = wakeUp;
        let more = false;
        try {
          if (ca !== options.ca()) {
            ca = options.ca();
            http.renew(trusting(ca));
          }
          if (mayWork()) {
            const place = await this.start();
            const retried = await this.retry(http, signal);
            more = (await this.forward(place, http, signal)) || retried;
          }
        } catch (error) {
          // By a later leader, then this term ends by itself; or by a forged row, which `start` removes.
          if (error instanceof WebhookError && error.code === 'overtaken') this.overtaken = true;
          else if (!signal.aborted) observer.onTrouble(`deliver to ${id}`, error);
        }
        if (!more) await wakeUp.wait(mark, POLL_MS, signal);
      }
    } finally {
      await http.destroy();
    }
  }

  private async start(): Promise<number[]> {
    if (this.place !== null && !this.overtaken) return this.place;
    const { retries } = this.parts;
    const { id, startsAfter } = this.subscription;
    const place = (await retries.places(id)) ?? this.place ?? startsAfter;
    // Noted anew, by this epoch and with the row key that is in use now.
    await retries.move(id, { places: place, epoch: this.epoch }, []);
    this.overtaken = false;
    return (this.place = place);
  }

  /** Tries failed deliveries that are due. @returns whether there may be more */
  private async retry(http: HttpClient, signal: AbortSignal): Promise<boolean> {
    const { retries, store, reads, observer } = this.parts;
    const { id, filter } = this.subscription;
    const due = await retries.due(id, PARALLEL);
    await Promise.all(
      due.map(async ({ eventId, attempts }) => {
        let event: StoredEvent | null;
        try {
          event = await reads.run(() => store.getById(eventId));
        } catch (error) {
          // One that cannot be read, or does not verify, must not stop those behind it.
          observer.onTrouble(`read the event ${eventId} for ${id}`, error);
          const waitMs = waitAfter(attempts + 1, this.schedule, null);
          return retries.failed(id, { eventId, type: '', status: null, error: UNREADABLE, waitMs });
        }
        // The row is only a hint: what is sent is an event of the chain that the subscription asks for.
        if (event === null || !fits(filter, event.event, divisionOf)) return retries.settled(id, eventId);
        const outcome = await this.post(event, attempts, http, signal);
        if (outcome === null) return;
        if (outcome === 'delivered') await retries.settled(id, eventId);
        else await retries.failed(id, outcome);
      }),
    );
    return due.length === PARALLEL && !signal.aborted;
  }

  /** Sends the next events. @returns whether there may be more */
  private async forward(place: readonly number[], http: HttpClient, signal: AbortSignal): Promise<boolean> {
    if (performance.now() < this.heldUntil) return false;
    const { retries } = this.parts;
    const { id, filter } = this.subscription;
    const limit = Math.max(1, Math.floor(PAGE / place.length));
    const page = await this.page(place, limit, signal);
    const events = page.events.filter(({ event }) => fits(filter, event, divisionOf));
    if (events.length > 0 && (await retries.pending(id)) >= MAX_PENDING) {
      this.heldUntil = performance.now() + HOLD_MS * 5;
      return false;
    }
    const outcomes = await this.turns.map(events, (event) => this.post(event, 0, http, signal));
    // Cut off: the outcome is not known, so they are sent again.
    if (signal.aborted || outcomes.includes(null)) return false;
    const failed = outcomes.filter((one): one is FailedAttempt => one !== null && one !== 'delivered');
    const places = place.map((seq, shard) => page.places.get(shard) ?? seq);
    const moved = places.some((seq, shard) => seq !== place[shard]);
    if (events.length > 0 || (moved && performance.now() - this.notedAt > NOTE_EVERY_MS)) {
      await retries.move(id, { places, epoch: this.epoch }, failed);
      this.notedAt = performance.now();
    }
    this.place = places;
    this.hold(events.length > 0 && failed.length === events.length, events.length > 0);
    return page.more;
  }

  /** Pages are read one at a time for all lanes, and half of the time none: each event of a page is verified. */
  private page(place: readonly number[], limit: number, signal: AbortSignal) {
    const { index, pages } = this.parts;
    const filter = indexFilter(this.subscription.filter);
    return pages.run(
      async () => {
        const startedAt = performance.now();
        const page = await index.after(filter, new Map(place.entries()), limit);
        if (page.events.length > 0) await pause(performance.now() - startedAt, signal);
        return page;
      },
      { signal },
    );
  }

  private hold(refusedAll: boolean, sent: boolean): void {
    if (refusedAll) {
      const ms = Math.min(LONGEST_HOLD_MS, HOLD_MS * 2 ** this.refusals++);
      this.heldUntil = performance.now() + halfJitter(ms);
    } else if (sent) this.refusals = 0;
  }

  /** @returns null when it was cut off because this lane ends */
  private async post(
    stored: StoredEvent,
    attempts: number,
    http: HttpClient,
    signal: AbortSignal,
  ): Promise<'delivered' | FailedAttempt | null> {
    if (signal.aborted) return null;
    const { options, secrets, observer, store } = this.parts;
    const { id, url } = this.subscription;
    const span = placeOf(await store.traceOf(stored.event))?.child('deliver webhook', {
      kind: 'client',
      attributes: {
        'kernel.webhook': id,
        'kernel.event_id': stored.event.id,
        'kernel.attempt': attempts + 1,
      },
    });
    const signing = secrets.signing(this.subscription, options.now());
    const startedAt = performance.now();
    const outcome: Outcome =
      signing === null
        ? withoutSecret()
        : await postWebhook(
            { url, secrets: signing },
            {
              id: stored.event.id,
              body: cloudEventOf(stored, options.origin),
              contentType: CLOUD_EVENT_TYPE,
              traceparent: span?.traceparent,
            },
            { http, timeoutMs: options.timeoutMs, signal },
          );
    const ms = performance.now() - startedAt;
    span?.end(outcome.delivered ? null : new Error(outcome.error));
    if (outcome.delivered) {
      observer.onAttempt(id, 'delivered', ms);
      return 'delivered';
    }
    if (outcome.status === null && signal.aborted) return null;
    const { status, error, retryAfterMs, gone } = outcome;
    const waitMs = gone ? null : waitAfter(attempts + 1, this.schedule, retryAfterMs);
    observer.onAttempt(id, waitMs === null ? 'dead' : 'failed', ms);
    return { eventId: stored.event.id, type: stored.event.type, status, error, waitMs };
  }
}

function withoutSecret(): Outcome {
  return {
    delivered: false,
    status: null,
    error: 'the row key that its secret came from is not in the file any more; rotate the secret',
    retryAfterMs: null,
    gone: false,
  };
}
