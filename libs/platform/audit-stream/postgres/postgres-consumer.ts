import { DEFAULT_LIMITS, tracesOf } from '#platform/event-store';
import { ChannelListener, Database, type DataSource, WakeUp } from '#platform/postgres';
import { GrowingPause } from '#platform/resilience';
import { isTracing } from '#platform/tracing';
import {
  type AuditStreamConsumer,
  type AuditStreamObserver,
  type StreamPosition,
  type StreamRecord,
} from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';

export interface PostgresConsumerOptions {
  /**
   * Initialised; owned by the caller, who closes it after `close()`. A role that may read chain and cursors is enough.
   */
  readonly dataSource: DataSource;
  readonly shards: number;
  /** Most bytes of records that are handed over at once, rounded up to a whole record. Default 1 MiB. */
  readonly batchBytes?: number;
  /** Interval between looks when no notification comes. Default as for every tail of the log. */
  readonly pollMs?: number;
  readonly observer?: AuditStreamObserver;
}

/** The relay tells the shard whose cursor it moved. */
const CHANNEL = 'kernel_stream';
const BATCH_BYTES = 1024 * 1024;
const BATCH_RECORDS = 2_000;

/**
 * Events between a position and the relay's cursor, up to a number of bytes. octet_length() of a large value reads only
 * its header.
 */
const PAGE = `
  SELECT seq, canonical FROM (
    SELECT seq, canonical, sum(octet_length(canonical)) OVER (ORDER BY seq) - octet_length(canonical) AS before
    FROM (
      SELECT e.seq, e.canonical FROM kernel.shard_events($1, $2, ${BATCH_RECORDS}, NULL) e
      WHERE e.seq <= (SELECT c.seq FROM kernel.relay_cursors c WHERE c.shard = $1)) published) page
  WHERE before < $3
  ORDER BY seq`;

/**
 * The workers' side over PostgreSQL: the events of the store up to the relay's cursor. No one can alter, drop or repeat
 * a record in between, because there is no in between.
 */
export class PostgresConsumer implements AuditStreamConsumer {
  private readonly database: Database;
  private readonly wakeUps: WakeUp[];
  private readonly listener: ChannelListener;
  private readonly closing = new AbortController();
  private readonly subscriptions = new Set<Promise<void>>();

  constructor(private readonly options: PostgresConsumerOptions) {
    this.database = new Database(options.dataSource, DEFAULT_LIMITS.storeTimeoutMs);
    this.wakeUps = Array.from({ length: options.shards }, () => new WakeUp());
    this.listener = new ChannelListener(
      this.database,
      [CHANNEL],
      (_, shard) => this.wakeUps[Number(shard)]?.signal(),
      () => this.wakeUps.forEach((wakeUp) => wakeUp.signal()),
    );
  }

  async consume(
    shard: number,
    from: StreamPosition,
    handle: (records: readonly StreamRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    this.listener.listen();
    const subscription = this.follow(shard, from.seq, handle, AbortSignal.any([signal, this.closing.signal]));
    const settled = subscription.catch(() => undefined);
    this.subscriptions.add(settled);
    try {
      await subscription;
    } finally {
      this.subscriptions.delete(settled);
    }
  }

  private async follow(
    shard: number,
    afterSeq: number,
    handle: (records: readonly StreamRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { batchBytes = BATCH_BYTES, pollMs = DEFAULT_LIMITS.tailPollMs, observer } = this.options;
    const wakeUp = this.wakeUps[shard];
    if (wakeUp === undefined) throw new RangeError(`There is no shard ${shard}.`);
    const pause = new GrowingPause();
    let seq = afterSeq;
    while (!signal.aborted) {
      const { mark } = wakeUp;
      let rows: { seq: string; canonical: Buffer }[];
      try {
        rows = await unlessAborted(this.database.query(PAGE, [shard, seq, batchBytes]), signal, []);
      } catch (error) {
        observer?.onInterrupted?.(shard, unavailable(error));
        await pause.wait(signal);
        continue;
      }
      pause.reset();
      // Check again: it changes while the query runs.
      if (isAborted(signal)) return;
      const last = rows.at(-1);
      if (last === undefined) {
        await wakeUp.wait(mark, pollMs, signal);
        continue;
      }
      const traces = isTracing()
        ? await tracesOf(this.database, shard, seq + 1, Number(last.seq))
        : new Map<number, string>();
      await handle(
        rows.map((row) => ({
          bytes: row.canonical,
          nextCursor: row.seq,
          traceparent: traces.get(Number(row.seq)),
        })),
      );
      seq = Number(last.seq);
    }
  }

  /** @throws AuditStreamError `stream_unavailable` */
  async check(): Promise<void> {
    try {
      await this.database.query('SELECT FROM kernel.relay_cursors LIMIT 1', []);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all([this.listener.close(), ...this.subscriptions]);
  }
}

function unavailable(cause: unknown): AuditStreamError {
  return new AuditStreamError(
    'stream_unavailable',
    `PostgreSQL could not be read: ${(cause as Error).message}.`,
    {},
    { cause },
  );
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Returns the query's result, or `otherwise` once aborted: a silent server must not delay a stop. */
async function unlessAborted<T>(query: Promise<T>, signal: AbortSignal, otherwise: T): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<T>((resolve) => {
    abort = () => resolve(otherwise);
    signal.addEventListener('abort', abort, { once: true });
  });
  query.catch(() => undefined);
  try {
    return await Promise.race([query, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
