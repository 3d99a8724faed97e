import { newEventId } from '../append/event-id';

/** Runs statements in the caller's transaction. */
interface Runner {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

const ACTOR = JSON.stringify({ id: 'replay', kind: 'system', roles: [] });

/**
 * From now on only who restores may append: the trigger on kernel.events refuses everybody else. Whether it was so
 * before. The change is recorded in the chain when the store is whole again.
 */
export async function beginRestoring(runner: Runner, reason: string): Promise<boolean> {
  const [mode] = (await runner.query('SELECT mode, restoring FROM kernel.mode FOR UPDATE')) as {
    mode: string;
    restoring: boolean;
  }[];
  if (mode?.restoring === true) return true;
  // Whoever is committing a group now is waited for; whoever comes later meets the trigger.
  await runner.query('SELECT FROM kernel.shard_head FOR UPDATE');
  await runner.query(
    `UPDATE kernel.mode SET mode = 'safe-mode', restoring = true, reason = $1, actor = $2::jsonb, since = clock_timestamp()`,
    [reason, ACTOR],
  );
  await note(runner, String(mode?.mode), 'safe-mode', reason);
  return false;
}

/** Back to the mode that was in force before. */
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
  // From safe-mode to safe-mode is no change: it was entered by a person, who also leaves it.
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
