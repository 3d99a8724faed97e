import { type ArchiveDay, type AuditEvent, dayOf, parseEvent } from '#evidence';
import { type SqlSource } from '#platform/audit-stream';

/** A day of a shard that is over: no event of it can come any more. */
export interface DayThatIsOver {
  readonly day: string;
  readonly first: AuditEvent;
  readonly last: AuditEvent;
  /** When it was known to be over, in ms since 1970. */
  readonly overSince: number;
}

interface Progress {
  /** Last position of the shard that the archive has. */
  archived: number;
  /** Time of the database server: the one clock that all archivers share. */
  now: number;
}

const DAY_MS = 86_400_000;

/** Where one day of a shard ends and the next begins, by the event store and the archiver's position. */
export class ShardDays {
  constructor(
    private readonly sql: SqlSource,
    private readonly consumer: string,
    /** How long after midnight a writer whose clock is behind may still write an event of the day before. */
    private readonly graceMs: number,
  ) {}

  /**
   * The first day behind `after` that is over: because the archive has an event of a later day (`ts` never falls within
   * a shard), or because midnight is past by the grace and the archive has every event. Null while no day is over.
   */
  async next(shard: number, after: ArchiveDay | null): Promise<DayThatIsOver | null> {
    const progress = await this.progress(shard);
    const firstSeq = (after?.last.seq ?? 0) + 1;
    if (progress === null || progress.archived < firstSeq) return null;
    const first = await this.event(shard, firstSeq);
    // An event that came for a day whose manifest was written goes into the next one, where everyone sees it.
    const dayStart =
      after !== null && dayOf(first.ts) <= after.day ? await this.dayBehind(shard, after.day) : first.ts;
    if (dayStart === null) return null;
    const day = dayOf(dayStart);
    const end = Date.parse(day) + DAY_MS;
    const later = await this.firstSeqAt(shard, new Date(end));
    if (later <= progress.archived) {
      const [last, next] = await Promise.all([this.event(shard, later - 1), this.event(shard, later)]);
      return { day, first, last, overSince: Date.parse(next.ts) };
    }
    // Asked after the position: when an event came meanwhile, `later` is past it, and the next round decides.
    if (later !== progress.archived + 1 || progress.now < end + this.graceMs) return null;
    return { day, first, last: await this.event(shard, progress.archived), overSince: end + this.graceMs };
  }

  /** The `ts` of the first event of a later day. */
  private async dayBehind(shard: number, day: string): Promise<string | null> {
    const seq = await this.firstSeqAt(shard, new Date(Date.parse(day) + DAY_MS));
    return (await this.eventOrNull(shard, seq))?.ts ?? null;
  }

  private async progress(shard: number): Promise<Progress | null> {
    const [row] = (await this.sql.query(
      `SELECT seq AS archived, extract(epoch FROM clock_timestamp()) * 1000 AS now
       FROM kernel.stream_positions WHERE consumer = $1 AND shard = $2`,
      [this.consumer, shard],
    )) as { archived: string; now: string }[];
    return row === undefined ? null : { archived: Number(row.archived), now: Number(row.now) };
  }

  private async firstSeqAt(shard: number, at: Date): Promise<number> {
    const [row] = (await this.sql.query('SELECT kernel.first_seq_at($1, $2) AS seq', [
      shard,
      at.toISOString(),
    ])) as { seq: string }[];
    return Number(row?.seq ?? 1);
  }

  private async event(shard: number, seq: number): Promise<AuditEvent> {
    const event = await this.eventOrNull(shard, seq);
    if (event !== null) return event;
    throw new Error(`The event store has no event ${shard}:${seq}, which was archived.`);
  }

  private async eventOrNull(shard: number, seq: number): Promise<AuditEvent | null> {
    const [row] = (await this.sql.query('SELECT canonical FROM kernel.event_at($1, $2)', [shard, seq])) as {
      canonical: Buffer;
    }[];
    return row === undefined ? null : parseEvent(row.canonical);
  }
}
