import { ChainFollower, type TrustedKeys } from '#platform/audit-stream';
import { type AuditEvent, EvidenceError, genesisHash, parseEvent } from '#evidence';
import { type Finding, type FindingKind } from './finding';
import { type StoredRow } from './stored-events';

export interface ChainCheckOptions {
  readonly origin: string;
  readonly shard: number;
  readonly keys: TrustedKeys;
  readonly found: (finding: Finding) => void;
}

/**
 * Verifies the chain of one shard from the store's rows: what the workers verify, but it continues after a fault, so
 * that one does not hide the next.
 */
export class ChainCheck {
  private follower: ChainFollower;
  private lastTs = '';
  /** Place behind the last row that was seen. */
  private at: { seq: number; hash: string };

  constructor(private readonly options: ChainCheckOptions) {
    this.at = { seq: 0, hash: genesisHash(options.origin, options.shard) };
    this.follower = this.followFrom(this.at);
  }

  get position(): { readonly seq: number; readonly hash: string } {
    return this.at;
  }

  /** Checks the next rows, in order. */
  async check(rows: readonly StoredRow[]): Promise<void> {
    const { events, fault, repeated } = await this.follower.follow(rows.map(recordOf));
    if (fault === null && repeated === 0 && events.length === rows.length) {
      for (const { event } of events) this.checkTime(event);
      this.sawAll(rows);
      return;
    }
    // Again, one by one, from where this page begins.
    this.follower = this.followFrom(this.at);
    for (const row of rows) {
      await this.checkOne(row);
      this.sawAll([row]);
    }
    this.follower = this.followFrom(this.at);
  }

  /** Checks one event by itself: all but its link. */
  async checkAlone(row: StoredRow): Promise<void> {
    const event = eventOf(row);
    this.follower = this.followFrom({ seq: row.seq - 1, hash: event?.prevHash ?? '' });
    const { fault } = await this.follower.follow([recordOf(row)]);
    if (fault !== null) this.found(fault.kind as FindingKind, row, fault.message);
    this.checkColumns(row, event);
  }

  private async checkOne(row: StoredRow): Promise<void> {
    const event = eventOf(row);
    const first = await this.follower.follow([recordOf(row)]);
    if (first.fault !== null) {
      this.found(first.fault.kind as FindingKind, row, first.fault.message);
      const isBetween = first.fault.kind === 'gap' || first.fault.kind === 'link';
      // What is wrong lies before it: the event itself may be sound.
      if (isBetween && event !== null) {
        const alone = await this.followFrom({ seq: row.seq - 1, hash: event.prevHash }).follow([
          recordOf(row),
        ]);
        if (alone.fault !== null) this.found(alone.fault.kind as FindingKind, row, alone.fault.message);
      }
      this.follower = this.followFrom({ seq: row.seq, hash: event?.hash ?? row.hash });
    }
    if (event !== null) this.checkTime(event);
  }

  private sawAll(rows: readonly StoredRow[]): void {
    for (const row of rows) this.checkColumns(row, eventOf(row));
    const last = rows.at(-1);
    if (last !== undefined) this.at = { seq: last.seq, hash: eventOf(last)?.hash ?? last.hash };
  }

  private checkTime(event: AuditEvent): void {
    if (event.ts < this.lastTs) {
      const { shard, seq, id } = event;
      this.options.found({
        kind: 'time',
        shard,
        seq,
        subject: id,
        message: `its ts ${event.ts} is earlier than ${this.lastTs} of the event before it`,
      });
    }
    this.lastTs = event.ts;
  }

  /** Queries use the columns, proofs the bytes: both must say the same. */
  private checkColumns(row: StoredRow, event: AuditEvent | null): void {
    if (event === null) return;
    const same =
      event.shard === this.options.shard &&
      event.seq === row.seq &&
      event.id === row.id &&
      event.type === row.type &&
      event.stream === row.stream &&
      event.streamVersion === row.streamVersion &&
      event.actor.id === row.actorId &&
      event.signerKid === row.signerKid &&
      event.hash === row.hash;
    if (!same)
      this.found('columns', row, 'the columns of its row say something else than its canonical bytes');
    if (!row.keyed)
      this.found('columns', row, 'the key of its id does not lead to it, or names another stream or version');
  }

  private followFrom(position: { seq: number; hash: string }): ChainFollower {
    const { origin, shard, keys } = this.options;
    return new ChainFollower({ origin, shard, keys, position });
  }

  private found(kind: FindingKind, { seq, id }: StoredRow, message: string): void {
    this.options.found({ kind, shard: this.options.shard, seq, subject: id, message });
  }
}

const recordOf = ({ canonical, seq }: StoredRow): { bytes: Uint8Array; nextCursor: string } => ({
  bytes: canonical,
  nextCursor: String(seq),
});

function eventOf({ canonical }: StoredRow): AuditEvent | null {
  try {
    return parseEvent(canonical);
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}
