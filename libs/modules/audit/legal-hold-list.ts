import { Injectable } from '@nestjs/common';
import { type LegalHold } from '#openapi/kernel';
import { Database } from '#platform/postgres';

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

/** The holds as the archiver recorded them in kernel.legal_holds. */
@Injectable()
export class LegalHoldList {
  constructor(private readonly database: Database) {}

  /** The newest first, at most `limit`. */
  async list(limit: number): Promise<LegalHold[]> {
    const rows = await this.database.query<Row>(
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
