import { parseEvent } from '#evidence';
import { ArchiveError } from '#platform/archive';
import {
  type ChainPlace,
  IntegrityFault,
  PositionMoved,
  type StreamPosition,
  type StreamPositions,
  type VerifiedEvent,
} from '#platform/audit-stream';
import { type CheckpointPublisher, GrowingLog, LogError, type LogStorage, TILE_WIDTH } from '#platform/log';
import { type Logger } from '#platform/process';
import { GrowingPause, pause } from '#platform/resilience';
import { CheckpointSpans } from './checkpoint-spans';
import { type LogPublisherMetrics } from '../log-publisher.metrics';

export interface ShardPublishingOptions {
  readonly shard: number;
  readonly genesisHash: string;
  readonly storage: LogStorage;
  readonly publisher: CheckpointPublisher;
  readonly positions: StreamPositions;
  readonly metrics: LogPublisherMetrics;
  readonly logger: Logger;
  /** Least time between the beginnings of two checkpoints. */
  readonly everyMs: number;
  /** Longest time without a checkpoint, also when nothing is new. */
  readonly republishMs: number;
  /** How often an idle log is looked at: whether its checkpoint is still the one that was published. */
  readonly lookMs: number;
  /** How often a shard that stopped is tried again. */
  readonly recheckMs: number;
}

/** Full tiles and bundles that wait in memory; more make the stream wait. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
const RETRY_MS = { first: 250, most: 10_000 };
/** Times of events that wait for their checkpoint; while the log catches up, a sample of them. */
const MOST_TIMES = 10_000;
/** Traces that a checkpoint is shown in; those of more events end where the events were applied. */
const MOST_TRACES = 1_000;

/** Why there is no new checkpoint. */
type Trouble =
  /** What contradicts the chain or the published log: over when something is published. */
  | { readonly kind: 'fault'; readonly error: IntegrityFault }
  /** What may pass by itself. */
  | { readonly kind: 'failure'; readonly error: Error; readonly retryMs: number }
  /**
   * The stream has not reached what is signed already. That is no failure of the publisher: it has caught up soon after a
   * start, and the kernel says when the store was put back to an older state.
   */
  | { readonly kind: 'behind'; readonly size: number; readonly signedSize: number };

/**
 * Publishes the log of one shard while this process leads it.
 *
 * The events of the stream are appended in memory; once a second a checkpoint is published and the position moves to it.
 * So the position is the size of the published tree, whose tiles are stored: a process that starts reads the right edge
 * of that tree and goes on. What a killed process wrote beyond is written again, with the same bytes.
 */
export class ShardPublishing {
  private log: GrowingLog;
  /** Stored position when the log was opened: a log that is made again passes it. */
  private stored: ChainPlace;
  /** Where the stored position is now. */
  private moved: ChainPlace;
  private last: VerifiedEvent | null = null;
  private times: number[] = [];
  /** Traces of events that wait for their checkpoint: `traceparent` of each. */
  private traces: string[] = [];
  private round: Promise<unknown> = Promise.resolve();
  private wake = Promise.withResolvers<void>();
  private trouble: Trouble | null = null;

  constructor(private readonly options: ShardPublishingOptions) {
    this.log = GrowingLog.empty(options.storage);
    this.stored = this.moved = { seq: 0, hash: options.genesisHash };
  }

  /** Opens the log where it was published, or makes it again from the first event when it is not there. */
  async position(): Promise<StreamPosition> {
    const { shard, storage, positions, logger, genesisHash } = this.options;
    // No round begins with the log in hand any more; one that is under way may still move the position.
    this.putAway();
    await this.round;
    // It has put back what it could not publish.
    this.putAway();
    const stored = await positions.read(shard);
    this.stored = this.moved = stored;
    try {
      const log = await GrowingLog.open(storage, stored.seq);
      await this.assertIsOf(stored);
      this.log = log;
      this.wake.resolve();
      return stored;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'object_missing') throw this.faultOf(error);
      logger.warn(
        { shard, size: stored.seq, reason: error.message },
        'makes the log again from its first event',
      );
    }
    return { seq: 0, hash: genesisHash, cursor: null };
  }

  async apply(events: readonly VerifiedEvent[]): Promise<void> {
    for (const event of events) {
      const { traceparent } = event;
      const { seq, hash, ts } = event.event;
      if (seq === this.stored.seq && hash !== this.stored.hash) {
        throw this.forked(`event ${seq} of the stream is not the one that was published there`);
      }
      this.log.append(event.bytes);
      this.last = event;
      if (this.times.length < MOST_TIMES) this.times.push(Date.parse(ts));
      if (traceparent !== undefined && this.traces.length < MOST_TRACES) this.traces.push(traceparent);
    }
    this.wake.resolve();
    try {
      if (this.log.pendingBytes > MAX_PENDING_BYTES) await this.log.write();
    } catch (error) {
      throw this.faultOf(error);
    }
  }

  /** Follows the stream and publishes, until `signal` is aborted. Never rejects. */
  async lead(
    signal: AbortSignal,
    holds: () => boolean,
    follow: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    while (!signal.aborted) {
      const session = new AbortController();
      this.options.publisher.begin();
      // What is in hand may be older than what another process has published.
      this.putAway();
      const until = AbortSignal.any([signal, session.signal]);
      const publishing = this.publishRounds(until, holds).finally(() => session.abort());
      await Promise.all([follow(until), publishing]);
      if (this.trouble?.kind === 'fault') await pause(this.options.recheckMs, signal);
    }
    this.trouble = null;
  }

  /** @throws Error with the reason why nothing is published: a readiness check */
  check(): void {
    const { trouble } = this;
    if (trouble?.kind === 'fault') throw trouble.error;
    if (trouble?.kind === 'failure') {
      throw new Error(`Shard ${this.options.shard} has no new checkpoint: ${trouble.error.message}`);
    }
  }

  /** Nothing is in hand until the position is read. */
  private putAway(): void {
    this.log = GrowingLog.empty(this.options.storage);
    this.last = null;
    this.times = [];
    this.traces = [];
  }

  /** The one place that decides what is wrong now, and whether that is news. */
  private is(now: Trouble | null): void {
    const { logger, shard } = this.options;
    const before = this.trouble;
    // A fault ends when something is published: behind the tree that showed it, it is only out of sight.
    if (before?.kind === 'fault' && now?.kind === 'behind') return;
    if (before?.kind !== 'fault' || now?.kind !== 'failure') this.trouble = now;
    switch (now?.kind) {
      case undefined:
        if (before !== null) logger.info({ shard }, 'publishes again');
        return;
      case 'fault':
        if (before?.kind === 'fault' && before.error.message === now.error.message) return;
        logger.error({ shard, kind: now.error.kind, err: now.error }, 'the log of the shard stops');
        return;
      case 'failure':
        logger.warn({ shard, err: now.error, retryMs: now.retryMs }, 'could not publish; tries again');
        return;
      case 'behind':
        if (before?.kind === 'behind' && before.signedSize === now.signedSize) return;
        logger.warn(
          { shard, signedSize: now.signedSize, size: now.size },
          'waits: the signing proxy has signed a larger tree than the stream has given so far',
        );
    }
  }

  /** Resolves when `signal` is aborted, or when what is in hand has to be read again. */
  private async publishRounds(signal: AbortSignal, holds: () => boolean): Promise<void> {
    const { everyMs, republishMs, lookMs, metrics, shard } = this.options;
    const retry = new GrowingPause(RETRY_MS.first, RETRY_MS.most);
    let publishedAt = Number.NEGATIVE_INFINITY;
    for (;;) {
      const idle = this.last === null;
      const waitMs = (idle ? publishedAt + republishMs : publishedAt + everyMs) - performance.now();
      if (this.log.size === 0 || (idle && waitMs > 0)) {
        await Promise.race([
          pause(Math.min(Math.max(waitMs, 0) || republishMs, lookMs), signal),
          this.wake.promise,
        ]);
      } else if (waitMs > 0) await pause(waitMs, signal);
      if (signal.aborted) return;
      this.wake = Promise.withResolvers();
      const began = performance.now();
      // Woken a moment after the last one, or with nothing to publish at all.
      if (this.log.size === 0 || began < publishedAt + everyMs) continue;
      try {
        const round = this.publish(holds, began < publishedAt + republishMs);
        this.round = round.catch(() => undefined);
        const outcome = await round;
        retry.reset();
        if (outcome === 'published') publishedAt = began;
        if (outcome === 'behind') await pause(everyMs, signal);
        else this.is(null);
      } catch (error) {
        const known = this.faultOf(error);
        metrics.onFailure(shard, known);
        if (known instanceof PositionMoved) return;
        if (known instanceof IntegrityFault) return this.is({ kind: 'fault', error: known });
        if (signal.aborted) continue;
        this.is({ kind: 'failure', error: known, retryMs: Math.round(retry.nextMs) });
        await retry.wait(signal);
      }
    }
  }

  /** Publishes what is new; what is not, unless it is published already and `whenMissing`. */
  private async publish(
    holds: () => boolean,
    whenMissing: boolean,
  ): Promise<'published' | 'unchanged' | 'behind'> {
    const { publisher, positions, metrics, shard } = this.options;
    const { log } = this;
    if (this.last === null && whenMissing && (await publisher.isPublished())) return 'unchanged';
    // With what came while it was looked at.
    const { last, times, traces } = this;
    this.last = null;
    this.times = [];
    this.traces = [];
    const spans = new CheckpointSpans(shard, traces);
    try {
      const published = await spans.run(() => publisher.publish(log, holds));
      if (published.outcome === 'behind') {
        this.putBack(last, times, traces);
        const { size, signedSize } = published;
        this.is({ kind: 'behind', size, signedSize });
        return 'behind';
      }
      spans.end(published.size);
      metrics.onPublished(shard, published.size, times);
      if (last === null || last.event.seq <= this.moved.seq) return 'published';
      await positions.moveFrom(this.moved, last);
      this.moved = { seq: last.event.seq, hash: last.event.hash };
      return 'published';
    } catch (error) {
      this.putBack(last, times, traces);
      throw error;
    }
  }

  /** What was not published is published with what came meanwhile. */
  private putBack(last: VerifiedEvent | null, times: readonly number[], traces: readonly string[]): void {
    this.last ??= last;
    this.times = [...times, ...this.times].slice(0, MOST_TIMES);
    this.traces = [...traces, ...this.traces].slice(0, MOST_TRACES);
  }

  /** The stored log ends with the event of the position. */
  private async assertIsOf({ seq, hash }: ChainPlace): Promise<void> {
    if (seq === 0) return;
    const width = seq % TILE_WIDTH === 0 ? TILE_WIDTH : seq % TILE_WIDTH;
    const index = Math.ceil(seq / TILE_WIDTH) - 1;
    const entries = await this.options.storage.entries({ level: 'entries', index, width });
    const found = parseEvent(entries.at(-1) as Uint8Array);
    if (found.seq === seq && found.hash === hash) return;
    throw this.forked(`the stored log has another event at ${seq} than the position says`);
  }

  private forked(what: string): IntegrityFault {
    const { shard, storage } = this.options;
    return new IntegrityFault(
      'fork',
      shard,
      null,
      `Shard ${shard}: ${what} (log/${storage.shard}). Nothing is published; follow docs/transparency-log.md, "When the log stops".`,
    );
  }

  /** What contradicts the chain or the published log, as a fault; anything else may pass. */
  private faultOf(error: unknown): Error {
    const { shard } = this.options;
    const known = error instanceof Error ? error : new Error(String(error));
    const kind =
      known instanceof LogError && known.code === 'forked'
        ? 'fork'
        : (known instanceof ArchiveError && known.code === 'different_object') ||
            (known instanceof LogError && known.code === 'damaged_object')
          ? 'different_object'
          : null;
    return kind === null ? known : new IntegrityFault(kind, shard, null, known.message, { cause: known });
  }
}
