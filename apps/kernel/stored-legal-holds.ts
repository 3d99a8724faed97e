import { type DataSource } from '#platform/event-store';
import { type LegalHold, LegalHoldList } from '#modules/audit';

interface Row {
  shard: number;
  from_seq: string;
  to_seq: string;
  in_force: boolean;
  reason: string;
  event_id: string;
  event_ts: Date;
  applied_seq: string;
  failure: string | null;
}

/** What the archiver has written down in kernel.legal_holds. */
export class StoredLegalHolds extends LegalHoldList {
  constructor(private readonly dataSource: DataSource) {
    super();
  }

  async list(limit: number): Promise<LegalHold[]> {
    const rows = await this.dataSource.query<Row[]>(
      `SELECT shard, from_seq, to_seq, in_force, reason, event_id, event_ts, applied_seq, failure
       FROM kernel.legal_holds ORDER BY event_ts DESC, shard, from_seq, to_seq LIMIT $1`,
      [limit],
    );
    return rows.map((row) => {
      const [fromSeq, toSeq] = [Number(row.from_seq), Number(row.to_seq)];
      const applied = Number(row.applied_seq) - fromSeq + 1;
      const total = toSeq - fromSeq + 1;
      return {
        shard: row.shard,
        fromSeq,
        toSeq,
        inForce: row.in_force,
        reason: row.reason,
        eventId: row.event_id,
        since: row.event_ts.toISOString(),
        applied,
        total,
        status: applied === total ? 'applied' : row.failure === null ? 'pending' : 'failing',
        failure: row.failure,
      };
    });
  }
}
