import { type SqlSource, type VerifiedEvent } from '#platform/audit-stream';
import { type AuditEvent, MAX_SHARDS } from '#evidence';
import { storable } from '#platform/postgres';
import { type EventReader } from '../events/archive-events';

/** What an event of a stream `legal_hold/<shard>:<from>-<to>` says (docs/spec/archive.md, section 5). */
export interface HoldEvent {
  readonly shard: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly inForce: boolean;
  readonly reason: string;
}

const TYPES = new Map([
  ['legal_hold.placed', true],
  ['legal_hold.lifted', false],
]);

/** Null for any other event, and for one whose members are not what the kernel writes: it holds nothing. */
export function readHoldEvent({ type, stream, payload }: AuditEvent): HoldEvent | null {
  const inForce = TYPES.get(type);
  if (inForce === undefined) return null;
  const { shard, fromSeq, toSeq, reason } = payload;
  if (!isInteger(shard, 0) || shard >= MAX_SHARDS || !isInteger(fromSeq, 1) || !isInteger(toSeq, fromSeq))
    return null;
  if (typeof reason !== 'string' || stream !== `legal_hold/${shard}:${fromSeq}-${toSeq}`) return null;
  return { shard, fromSeq, toSeq, inForce, reason };
}

function isInteger(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

/** Records holds in kernel.legal_holds as their events are read; reading an event again changes nothing. */
export class HoldEvents implements EventReader {
  constructor(
    private readonly sql: SqlSource,
    private readonly onChanged: () => void,
  ) {}

  async read(events: readonly VerifiedEvent[]): Promise<void> {
    let changed = false;
    for (const { event } of events) {
      const hold = readHoldEvent(event);
      if (hold === null) continue;
      await this.sql.query(
        `INSERT INTO kernel.legal_holds AS h
           (shard, from_seq, to_seq, in_force, reason, event_id, event_shard, event_seq, event_ts, applied_seq)
         VALUES ($1, $2::bigint, $3, $4, $5, $6, $7, $8, $9, $2::bigint - 1)
         ON CONFLICT (shard, from_seq, to_seq) DO UPDATE
           SET in_force = excluded.in_force, reason = excluded.reason, event_id = excluded.event_id,
               event_seq = excluded.event_seq, event_ts = excluded.event_ts, applied_seq = excluded.applied_seq,
               failure = NULL, updated_at = clock_timestamp()
           WHERE h.event_seq < excluded.event_seq`,
        [
          hold.shard,
          hold.fromSeq,
          hold.toSeq,
          hold.inForce,
          storable(hold.reason),
          event.id,
          event.shard,
          event.seq,
          event.ts,
        ],
      );
      changed = true;
    }
    if (changed) this.onChanged();
  }
}
