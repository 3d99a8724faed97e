import { type Logger } from '#platform/process';
import { GrowingPause, Pace, pause } from '#platform/resilience';
import { recordPart } from '#platform/tracing';
import { type AuditStreamConsumer, type StreamRecord } from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';
import { IntegrityFault, PositionMoved, type ShardHandler, type VerifiedEvent } from '../shard-handler';
import { ChainFollower, type FollowedRecords, type StoredHashes } from './chain-follower';
import { type PipelineMetrics } from './pipeline-metrics';
import { type TrustedKeys } from './trusted-keys';

export interface ShardRunnerOptions {
  readonly origin: string;
  readonly consumer: AuditStreamConsumer;
  readonly keys: TrustedKeys;
  readonly logger: Logger;
  readonly metrics: Pick<PipelineMetrics, 'onApplied' | 'onIntegrityFault' | 'onRepeats'>;
  readonly storedHashes?: StoredHashes;
  /** Most events that are verified and applied at a time; default 500. */
  readonly batchEvents?: number;
  /** How often a stopped shard is tried again from its position; default 60 s. */
  readonly recheckMs?: number;
  /** Least time between the beginnings of two batches, unless the first is full; default 50 ms. 0: none. */
  readonly paceMs?: number;
  /** Pause between attempts after a failure that is not the chain's: from 100 ms, doubled up to 10 s. */
  readonly retryMs?: { readonly first: number; readonly most: number };
}

/** Some 0.5 MB, and 25 ms of two cores' signature checks: the next batch is verified while this one is applied. */
const BATCH_EVENTS = 500;
/** Reading, checking signatures and moving the position cost much the same for one event as for fifty. */
const PACE_MS = 50;
/** Half of what a transport hands over at once: large events are read without pauses too. */
const FULL_BYTES = 512 * 1024;
const RECHECK_MS = 60_000;
const RETRY_MS = { first: 100, most: 10_000 };

/** State of one shard. */
export interface ShardState {
  /** Why it stopped; null while it runs. */
  readonly fault: IntegrityFault | null;
  /** Why it cannot continue right now and tries again; null while it runs. */
  readonly failure: Error | null;
  /** Position at which it stopped or failed; null: it could not even be read. */
  readonly at: number | null;
}

const RUNS: ShardState = { fault: null, failure: null, at: null };

/**
 * Lets a handler apply the verified events of its shards, each shard by itself: from the stream to the handler in one
 * hop.
 *
 * A failure (an unreachable database) is tried again. A record that contradicts the chain stops the shard where it is,
 * so that `check` fails, until the records after the position are in order again: it looks once a minute, and at each
 * start.
 */
export class ShardRunner {
  private readonly states = new Map<number, ShardState>();

  constructor(private readonly options: ShardRunnerOptions) {}

  /** Resolves when `signal` is aborted and the handler no longer runs; never rejects. */
  readonly follow = async (shard: number, handler: ShardHandler, signal: AbortSignal): Promise<void> => {
    const { first, most } = this.options.retryMs ?? RETRY_MS;
    const retry = new GrowingPause(first, most);
    while (!signal.aborted) {
      let at: number | null = null;
      try {
        await this.subscribe(shard, handler, signal, {
          from: (seq) => {
            at = seq;
            // A failure after the position was read is not over just because the position can be read again.
            if (this.state(shard).at === null || this.state(shard).fault !== null) this.reached(shard, seq);
          },
          applied: (seq) => {
            at = seq;
            retry.reset();
            this.reached(shard, seq);
          },
        });
        // The consumer ended its subscription without being told to: do not retry at once.
        if (!signal.aborted) await pause(first, signal);
      } catch (error) {
        const fault = asFault(shard, error);
        if (fault !== null) {
          this.stopped(shard, fault, at);
          await pause(this.options.recheckMs ?? RECHECK_MS, signal);
          continue;
        }
        if (error instanceof PositionMoved) {
          this.options.logger.info({ shard, reason: error.message }, 'reads the position anew');
        } else {
          this.failing(shard, error, at, retry.nextMs);
        }
        // A little apart, so that two processes do not keep meeting.
        await retry.wait(signal);
      }
    }
  };

  /** @throws Error naming each shard that does not continue, and what to do: a readiness check. */
  async check(): Promise<void> {
    const wrong = [...this.states]
      .sort(([a], [b]) => a - b)
      .flatMap(([shard, { fault, failure }]) =>
        fault !== null
          ? [`${fault.message} ${ADVICE}`]
          : failure !== null
            ? [`Shard ${shard} waits: ${failure.message}`]
            : [],
      );
    if (wrong.length > 0) throw new Error(wrong.join(' '));
  }

  state(shard: number): ShardState {
    return this.states.get(shard) ?? RUNS;
  }

  private async subscribe(
    shard: number,
    handler: ShardHandler,
    signal: AbortSignal,
    on: { from: (seq: number) => void; applied: (seq: number) => void },
  ): Promise<void> {
    const { origin, keys, storedHashes, consumer } = this.options;
    const position = await handler.position(shard);
    on.from(position.seq);
    const follower = new ChainFollower({
      shard,
      origin,
      keys,
      position,
      ...(storedHashes === undefined ? {} : { storedHashes }),
    });
    const pace = new Pace(this.options.paceMs ?? PACE_MS);
    await consumer.consume(
      shard,
      position,
      async (records) => {
        pace.begin();
        await this.handle(shard, records, follower, handler, on.applied);
        if (!this.isFull(records)) await pace.rest(signal);
      },
      signal,
    );
  }

  /** Whether as much may follow at once. */
  private isFull(records: readonly StreamRecord[]): boolean {
    if (records.length >= (this.options.batchEvents ?? BATCH_EVENTS)) return true;
    return records.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) >= FULL_BYTES;
  }

  /** Handles records in parts; the next is verified while one is applied. */
  private async handle(
    shard: number,
    records: readonly StreamRecord[],
    follower: ChainFollower,
    handler: ShardHandler,
    applied: (seq: number) => void,
  ): Promise<void> {
    const size = this.options.batchEvents ?? BATCH_EVENTS;
    let { seq } = follower.position;
    let next: Promise<FollowedRecords> | null = follower.follow(records.slice(0, size));
    for (let from = size; next !== null; from += size) {
      const followed: FollowedRecords = await next;
      const { events, repeated, fault } = followed;
      const more: boolean = fault === null && from < records.length;
      next = more ? follower.follow(records.slice(from, from + size)) : null;
      // Its failure is seen in the next round; if applying fails first, it is not news.
      next?.catch(() => undefined);
      if (repeated > 0 && fault === null) this.repeats(shard, repeated);
      if (events.length > 0) {
        const startedAt = Date.now();
        await handler.apply(shard, events);
        for (const { event, traceparent } of events) {
          if (traceparent === undefined) continue;
          recordPart('apply event', traceparent, {
            kind: 'consumer',
            startedAt,
            attributes: { ...placeIn(event), 'kernel.batch.events': events.length },
          });
        }
        this.options.metrics.onApplied(events.map(({ event }) => event.ts));
        seq = events.at(-1)?.event.seq ?? seq;
      }
      applied(seq);
      if (fault !== null) throw fault;
    }
  }

  private repeats(shard: number, count: number): void {
    this.options.metrics.onRepeats(shard, count);
    this.options.logger.info({ shard, records: count }, 'skipped records that were applied before');
  }

  /** All is well up to a position: an earlier problem is over, unless it was a fault directly after it. */
  private reached(shard: number, seq: number): void {
    const { fault, failure, at } = this.state(shard);
    if (fault === null && failure === null) return;
    if (fault !== null && at !== null && seq <= at) return;
    this.states.set(shard, RUNS);
    this.options.logger.info(
      { shard, seq },
      fault === null ? 'goes on' : 'goes on: the position is past what had stopped it',
    );
  }

  private stopped(shard: number, fault: IntegrityFault, at: number | null): void {
    const before = this.state(shard).fault;
    this.states.set(shard, { fault, failure: null, at });
    // The same one, found again.
    if (before?.message === fault.message) return;
    this.options.metrics.onIntegrityFault(fault);
    this.options.logger.error(
      { shard, kind: fault.kind, seq: fault.seq, err: fault },
      `${fault.message} The shard stops. ${ADVICE}`,
    );
  }

  private failing(shard: number, error: unknown, at: number | null, pauseMs: number): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    const before = this.state(shard);
    // A stopped shard stays stopped while it cannot be checked.
    this.states.set(shard, before.fault === null ? { fault: null, failure, at } : { ...before, failure });
    this.options.logger.warn(
      { shard, err: failure, retryMs: Math.round(pauseMs) },
      'could not apply; tries again',
    );
  }
}

/** Attributes of what is done with an event. */
function placeIn({ id, shard, seq, type }: VerifiedEvent['event']): Record<string, string | number> {
  return { 'kernel.event_id': id, 'kernel.shard': shard, 'kernel.seq': seq, 'kernel.event_type': type };
}

const ADVICE =
  'Nothing was skipped. Verify the event store (./kernel audit verify), find out who changed the records, then follow ' +
  'docs/pipeline.md, "When a shard stops"; it is tried again by itself.';

/** The fault that stops a shard permanently. */
function asFault(shard: number, error: unknown): IntegrityFault | null {
  if (error instanceof IntegrityFault) return error;
  if (!(error instanceof AuditStreamError) || error.code !== 'records_lost') return null;
  return new IntegrityFault('records_lost', shard, null, `Shard ${shard}: ${error.message}`, {
    cause: error,
  });
}
