import { type Archive } from '#platform/archive';
import { type SqlSource } from '#platform/audit-stream';
import { archiveKey, parseEvent } from '#evidence';
import { type Logger } from '#platform/process';
import { type DataSource, storable } from '#platform/postgres';
import { type ArchiverMetrics } from '../archiver.metrics';

export interface ApplyHoldsOptions {
  readonly dataSource: DataSource;
  readonly archive: Archive;
  readonly metrics: Pick<ArchiverMetrics, 'onHoldsApplied' | 'onHoldFailure'>;
  readonly logger: Logger;
  /** How often it looks for pending work without being told. */
  readonly everyMs?: number;
}

interface PendingHold {
  shard: number;
  fromSeq: number;
  toSeq: number;
  appliedSeq: number;
}

interface HeldEvent {
  seq: number;
  held: boolean;
  canonical: Buffer;
}

const LOCK = `hashtextextended('illuvrse-kernel/legal-holds', 0)`;
const EVERY_MS = 15_000;
/** Objects between two records of its progress. */
const CHUNK = 64;

/**
 * Carries out what the holds in the chain say: an object is held exactly while a hold that covers it is in force. One
 * process at a time, so that none undoes what another has just done; a failure is kept with the hold and tried again.
 */
export class ApplyHolds {
  private readonly stopping = new AbortController();
  private wakeUp: (() => void) | undefined;
  private again = false;
  private running: Promise<void> | undefined;

  constructor(private readonly options: ApplyHoldsOptions) {}

  start(): void {
    this.running ??= this.run();
  }

  wake(): void {
    this.again = true;
    this.wakeUp?.();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wakeUp?.();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.again = false;
      const more = await this.step().catch((error: unknown) => {
        this.options.metrics.onHoldFailure(error);
        this.options.logger.warn({ err: error }, 'could not apply legal holds; tries again');
        return false;
      });
      if (!more && !this.again && !signal.aborted) await this.pause();
    }
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.options.everyMs ?? EVERY_MS);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }

  /** One chunk of one hold. @returns whether there may be more to do right away */
  async step(): Promise<boolean> {
    const runner = this.options.dataSource.createQueryRunner();
    try {
      await runner.connect();
      // A lock of the session, not of a transaction: the archive may take longer than a transaction may be idle.
      const [lock] = await rows<{ mine: boolean }>(runner, `SELECT pg_try_advisory_lock(${LOCK}) AS mine`);
      if (lock?.mine !== true) return false;
      try {
        for (const hold of await this.pending(runner)) {
          if (await this.applyChunk(runner, hold)) return true;
        }
        return false;
      } finally {
        await runner.query(`SELECT pg_advisory_unlock(${LOCK})`);
      }
    } finally {
      await runner.release();
    }
  }

  /** Holds that can continue, oldest first: the archiver has the next event of the range. */
  private async pending(sql: SqlSource): Promise<PendingHold[]> {
    const found = await rows<Record<'from_seq' | 'to_seq' | 'applied_seq', string> & { shard: number }>(
      sql,
      `SELECT h.shard, h.from_seq, h.to_seq, h.applied_seq
       FROM kernel.legal_holds h
       JOIN kernel.stream_positions p ON p.consumer = 'archiver' AND p.shard = h.shard
       WHERE h.applied_seq < h.to_seq AND p.seq > h.applied_seq
       ORDER BY h.failure IS NOT NULL, h.event_ts, h.shard, h.from_seq, h.to_seq LIMIT 20`,
    );
    return found.map(({ shard, from_seq, to_seq, applied_seq }) => ({
      shard,
      fromSeq: Number(from_seq),
      toSeq: Number(to_seq),
      appliedSeq: Number(applied_seq),
    }));
  }

  /** @returns whether it got further */
  private async applyChunk(sql: SqlSource, hold: PendingHold): Promise<boolean> {
    const events = await this.eventsOf(sql, hold);
    const outcomes = await Promise.allSettled(
      events.map(({ canonical, held }) =>
        this.options.archive.setLegalHold(archiveKey(parseEvent(canonical)), held),
      ),
    );
    const failed = outcomes.findIndex(({ status }) => status === 'rejected');
    const done = failed === -1 ? events : events.slice(0, failed);
    const failure = failed === -1 ? null : messageOf((outcomes[failed] as PromiseRejectedResult).reason);
    const appliedSeq = done.at(-1)?.seq ?? hold.appliedSeq;
    await sql.query(
      `UPDATE kernel.legal_holds SET applied_seq = $4, failure = $5, updated_at = clock_timestamp()
       WHERE shard = $1 AND from_seq = $2 AND to_seq = $3 AND applied_seq = $6`,
      [hold.shard, hold.fromSeq, hold.toSeq, appliedSeq, failure, hold.appliedSeq],
    );
    this.options.metrics.onHoldsApplied(done.length);
    const { shard, fromSeq, toSeq } = hold;
    if (failure !== null) {
      this.options.metrics.onHoldFailure((outcomes[failed] as PromiseRejectedResult).reason);
      this.options.logger.warn(
        { shard, fromSeq, toSeq, failure },
        'could not apply a legal hold; tries again',
      );
    } else if (appliedSeq === toSeq) {
      this.options.logger.info({ shard, fromSeq, toSeq }, 'applied a legal hold');
    }
    return done.length > 0;
  }

  /** The next events of the range that the archive has, each with whether any hold in force covers it. */
  private async eventsOf(sql: SqlSource, hold: PendingHold): Promise<HeldEvent[]> {
    const found = await rows<{ seq: string; held: boolean; canonical: Buffer }>(
      sql,
      `SELECT e.seq, e.canonical,
              EXISTS (SELECT FROM kernel.legal_holds h
                      WHERE h.shard = $1 AND h.in_force AND e.seq BETWEEN h.from_seq AND h.to_seq) AS held
       FROM kernel.shard_events($1, $2, ${CHUNK}, NULL) e
       WHERE e.seq <= $3
         AND e.seq <= (SELECT p.seq FROM kernel.stream_positions p WHERE p.consumer = 'archiver' AND p.shard = $1)
       ORDER BY e.seq`,
      [hold.shard, hold.appliedSeq, hold.toSeq],
    );
    return found.map(({ seq, held, canonical }) => ({ seq: Number(seq), held, canonical }));
  }
}

async function rows<T>(from: SqlSource, sql: string, parameters: unknown[] = []): Promise<T[]> {
  return (await from.query(sql, parameters)) as T[];
}

function messageOf(error: unknown): string {
  return storable((error instanceof Error ? error.message : String(error)).slice(0, 1_000));
}
