import { type AuditStreamPublisher } from '#platform/audit-stream';
import { type EventLog, type EventVerifier, type StoredEvent, tracesOf } from '#platform/event-store';
import { type Database, type Term } from '#platform/postgres';
import { GrowingPause, Pace } from '#platform/resilience';
import { genesisHash } from '#evidence';
import { BATCH_EVENTS, batches, continued } from './continuity';
import { type Cursor, RelayCursor } from './relay-cursor';
import { PublishingSpans } from './publishing-spans';
import { RelayFault } from './relay-fault';

/** Pauses between attempts while stream or database is unavailable; the backlog waits in the store meanwhile. */
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
/** Least time between two batches that are not full: half of what its readers wait, since they follow it. */
const PACE_MS = 25;

export interface ShardRelayOptions {
  origin: string;
  log: EventLog;
  database: Database;
  publisher: AuditStreamPublisher;
  /** What is in a topic cannot be taken back: nothing is published that is not the kernel's. */
  verifier: Pick<EventVerifier, 'verify'>;
  observer: RelayObserver;
}

export interface RelayObserver {
  /** These events are in the stream and the cursor is behind them. */
  onPublished(shard: number, events: readonly StoredEvent[]): void;
  /** An attempt failed and is repeated. */
  onRetry(shard: number, what: 'publish' | 'cursor' | 'read', error: Error): void;
}

/**
 * Publishes a shard for one term: every event after the cursor, in order, one batch in flight; the cursor follows the
 * stream's acknowledgement. So a crash at any point repeats at most the last batch, and loses nothing.
 *
 * Resolves when the term is over. @throws RelayFault
 */
export async function relayShard(shard: number, term: Term, options: ShardRelayOptions): Promise<void> {
  const { origin, log, database, publisher, verifier, observer } = options;
  const { signal } = term;
  const stored = new RelayCursor(database, shard, term.epoch, genesisHash(origin, shard));
  const pace = new Pace(PACE_MS);
  const attempt = <T>(what: 'publish' | 'cursor' | 'read', work: () => Promise<T>): Promise<T> =>
    retried(work, (error) => observer.onRetry(shard, what, error), signal);
  try {
    const takenUp = await attempt('cursor', () => stored.takeUp());
    if (takenUp === null) return;
    let cursor: Cursor = takenUp;
    await attempt('read', () => assertStillThere(log, shard, cursor));
    while (!signal.aborted) {
      // A new tail after each failure: what was read but not published is read again.
      for await (const page of log.tail(shard, { afterSeq: cursor.seq, signal })) {
        pace.begin();
        for (const batch of batches(page)) {
          await attempt('read', () => assertGenuine(shard, cursor, batch, verifier));
          const next = continued(shard, cursor, batch);
          // Asked last: a freeze can still delay a batch between here and the stream, and consumers skip it then.
          if (!term.holds()) return;
          const traces = await tracesOf(database, shard, cursor.seq + 1, next.seq);
          const spans = new PublishingSpans(batch, traces);
          const records = batch.map(({ event, bytes }) => ({
            seq: event.seq,
            bytes,
            traceparent: spans.headerOf(event.seq),
          }));
          await attempt('publish', () => publisher.publish(shard, records));
          spans.end();
          const from = cursor;
          const ts = (batch.at(-1) as StoredEvent).event.ts;
          if (!(await attempt('cursor', () => stored.move(from, next, ts)))) return;
          cursor = next;
          observer.onPublished(shard, batch);
        }
        if (page.length < BATCH_EVENTS) await pace.rest(signal);
      }
    }
  } catch (error) {
    if (error instanceof RelayFault || !signal.aborted) throw error;
  }
}

/** @throws RelayFault for rows that someone else wrote into the log */
async function assertGenuine(
  shard: number,
  { seq }: Cursor,
  batch: readonly StoredEvent[],
  verifier: Pick<EventVerifier, 'verify'>,
): Promise<void> {
  const wrong = await verifier.verify(batch);
  if (wrong === null) return;
  throw new RelayFault(
    'integrity',
    shard,
    seq + 1,
    `Shard ${shard}: after event ${seq} the store holds a row that is no event of this kernel: ${wrong}. Nothing of it is published; see runbooks/integrity-alarm.md.`,
  );
}

/** A database that was restored from an old backup may have diverged since: publishing more would fork the stream. */
async function assertStillThere(log: EventLog, shard: number, { seq, hash }: Cursor): Promise<void> {
  if (seq === 0) return;
  const [stored] = await log.read(shard, { afterSeq: seq - 1, limit: 1 });
  if (stored?.event.seq === seq && stored.event.hash === hash) return;
  throw new RelayFault(
    'fork',
    shard,
    seq,
    `Event ${seq} of shard ${shard} was published with the hash ${hash}, but the store ${
      stored?.event.seq === seq ? `has ${stored.event.hash} there` : 'has no such event'
    }.`,
  );
}

/** Retries until it succeeds, meets a fault, or the term is over (then it rejects with the last failure). */
async function retried<T>(
  work: () => Promise<T>,
  failed: (error: Error) => void,
  signal: AbortSignal,
): Promise<T> {
  const pause = new GrowingPause(FIRST_RETRY_MS, MAX_RETRY_MS);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (error instanceof RelayFault || signal.aborted) throw error;
      failed(error as Error);
      await pause.wait(signal);
    }
  }
}
