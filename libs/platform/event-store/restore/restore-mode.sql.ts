import { newEventId } from '../append/event-id';

/** Runs statements in the caller's transaction. */
interface Runner {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

const ACTOR = JSON.stringify({ id: 'replay', kind: 'system', roles: [] });

/**
 * Allows only the restore to append from now on: the trigger on kernel.events refuses everyone else. Returns whether
 * this was already so. The chain records the change when the store is complete again.
 */
export async function beginRestoring(runner: Runner, reason: string): Promise<boolean> {
  const [mode] = (await runner.query('SELECT mode, restoring FROM kernel.mode FOR UPDATE')) as {
    mode: string;
    restoring: boolean;
  }[];
  if (mode?.restoring === true) return true;
  // Waits for a running commit of a group; later ones meet the trigger.
  await runner.query('SELECT FROM kernel.shard_head FOR UPDATE');
  await runner.query(
    `UPDATE kernel.mode SET mode = 'safe-mode', restoring = true, reason = $1, actor = $2::jsonb, since = clock_timestamp()`,
    [reason, ACTOR],
  );
  await note(runner, String(mode?.mode), 'safe-mode', reason);
  return false;
}

/** Restores the previous mode. */
export async function endRestoring(runner: Runner, reason: string): Promise<void> {
  const [mode] = (await runner.query('SELECT restoring FROM kernel.mode FOR UPDATE')) as {
    restoring: boolean;
  }[];
  if (mode?.restoring !== true) return;
  const [entered] = (await runner.query(
    `SELECT from_mode FROM kernel.mode_changes WHERE to_mode = 'safe-mode' ORDER BY n DESC LIMIT 1`,
  )) as { from_mode: string }[];
  const before = entered?.from_mode ?? 'normal';
  await runner.query(
    `UPDATE kernel.mode SET mode = $3, restoring = false, reason = $1, actor = $2::jsonb, since = clock_timestamp()`,
    [reason, ACTOR, before],
  );
  // From safe-mode to safe-mode is no change: a person entered it, and a person leaves it.
  if (before !== 'safe-mode') await note(runner, 'safe-mode', before, reason);
}

async function note(runner: Runner, from: string, to: string, reason: string): Promise<void> {
  if (from !== to) {
    await runner.query(
      `INSERT INTO kernel.mode_changes (event_id, from_mode, to_mode, reason, actor, changed_at)
       SELECT $1, $2, $3, $4, $5::jsonb, since FROM kernel.mode`,
      [newEventId(), from, to, reason, ACTOR],
    );
  }
  await runner.query(`SELECT pg_notify('kernel_mode', $1)`, [to]);
}
