import { Injectable } from '@nestjs/common';
import { type Actor } from '#evidence';
import { newEventId } from '#platform/event-store';
import { Database } from '#platform/postgres';
import { type KernelMode, type ModeChange, type ModeState } from './domain/kernel-mode';
import { ModeError } from './domain/mode.error';

const READ = {
  name: 'mode_read',
  text: 'SELECT mode, restoring, reason, actor, since FROM kernel.mode',
};

/** Row lock first, so that the second of two simultaneous changes sees the first. */
const CHANGE = {
  name: 'mode_change',
  text: `WITH old AS MATERIALIZED (SELECT mode, restoring FROM kernel.mode FOR UPDATE),
    changed AS (
      UPDATE kernel.mode m SET mode = $1, reason = $2, actor = $3::jsonb, since = clock_timestamp()
      FROM old WHERE NOT old.restoring AND old.mode <> $1
      RETURNING m.since),
    noted AS (
      INSERT INTO kernel.mode_changes (event_id, from_mode, to_mode, reason, actor, changed_at)
      SELECT $4::uuid, old.mode, $1, $2, $3::jsonb, changed.since FROM old, changed
      RETURNING event_id)
    SELECT old.restoring, (SELECT event_id FROM noted) AS "eventId",
      (SELECT pg_notify('kernel_mode', $1) FROM noted)::text AS told
    FROM old`,
};

const UNRECORDED = {
  name: 'mode_unrecorded',
  text: `SELECT event_id AS "eventId", from_mode AS "from", to_mode AS "to", reason, actor, changed_at AS "changedAt"
    FROM kernel.mode_changes WHERE recorded_at IS NULL ORDER BY n LIMIT 100`,
};

const RECORDED = {
  name: 'mode_recorded',
  text: 'UPDATE kernel.mode_changes SET recorded_at = clock_timestamp() WHERE event_id = $1 AND recorded_at IS NULL',
};

/** The mode as all kernel processes share it: one row in PostgreSQL. */
@Injectable()
export class ModeStore {
  constructor(readonly database: Database) {}

  async read(): Promise<ModeState> {
    const [row] = await this.database.query<ModeState & { since: Date & string }>(READ, []);
    if (row === undefined) throw new Error('kernel.mode is empty; restore its row.');
    return { ...row, since: row.since.toISOString() };
  }

  /**
   * Changes the mode for everyone; nothing changes if it is already in force.
   * @returns the id of the event that will record it, or null when nothing changed
   * @throws ModeError `being_restored`
   */
  async change(to: KernelMode, reason: string, actor: Actor): Promise<string | null> {
    const [row] = await this.database.query<{ restoring: boolean; eventId: string | null }>(CHANGE, [
      to,
      reason,
      JSON.stringify(actor),
      newEventId(),
    ]);
    if (row?.restoring === true) {
      throw new ModeError(
        'being_restored',
        'The store is being rebuilt from the archive; ./kernel replay ends the mode when it has verified the rebuilt head.',
      );
    }
    return row?.eventId ?? null;
  }

  /** Oldest first, at most 100. */
  async unrecorded(): Promise<ModeChange[]> {
    const rows = await this.database.query<ModeChange & { changedAt: Date & string }>(UNRECORDED, []);
    return rows.map((row) => ({ ...row, changedAt: row.changedAt.toISOString() }));
  }

  async recorded(eventId: string): Promise<void> {
    await this.database.query(RECORDED, [eventId]);
  }
}
