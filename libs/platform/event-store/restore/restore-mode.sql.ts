import { newEventId } from '../append/event-id';

/** Runs statements in the caller's transaction. */
interface Runner {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

const ACTOR = JSON.stringify({ id: 'replay', kind: 'system', roles: [] });

/**
 * Allows only the restore to append from now on: the trigger on kernel.events refuses everyone else. Returns whether
 * this was already so. The kernel records it in the chain when the store is complete again: only the owner can write
 * kernel.restores and kernel.mode.restoring, so the rights say who spoke.
 */
export async function beginRestoring(runner: Runner, reason: string): Promise<boolean> {
  const [mode] = (await runner.query('SELECT mode, restoring FROM kernel.mode FOR UPDATE')) as {
    mode: string;
    restoring: boolean;
  }[];
  if (mode?.restoring === true) return true;
  // Waits for a running commit of a group; later ones meet the trigger.
  await runner.query('SELECT FROM kernel.shard_head ORDER BY shard FOR UPDATE');
  await runner.query(
    `UPDATE kernel.mode SET mode = 'safe-mode', restoring = true, reason = $1, actor = $2::jsonb, since = clock_timestamp()`,
    [reason, ACTOR],
  );
  await runner.query(
    `INSERT INTO kernel.restores (begin_id, reason, began_at) VALUES ($1, $2, clock_timestamp())`,
    [newEventId(), reason],
  );
  await runner.query(`SELECT pg_notify('kernel_mode', 'safe-mode')`);
  return false;
}

/**
 * Ends the restore: the mode is again what the latest change says, which the kernel authenticates itself; a person leaves a
 * safe-mode that a person entered.
 */
export async function endRestoring(runner: Runner, reason: string): Promise<void> {
  const [mode] = (await runner.query('SELECT restoring FROM kernel.mode FOR UPDATE')) as {
    restoring: boolean;
  }[];
  if (mode?.restoring !== true) return;
  const [latest] = (await runner.query(
    `SELECT event_id, to_mode FROM kernel.mode_changes ORDER BY version DESC LIMIT 1`,
  )) as { event_id: string; to_mode: string }[];
  await runner.query(
    `UPDATE kernel.mode SET mode = $3, restoring = false, reason = $1, actor = $2::jsonb, since = clock_timestamp()`,
    [reason, ACTOR, latest?.to_mode ?? 'normal'],
  );
  await runner.query(
    `UPDATE kernel.restores SET end_id = $1, end_reason = $2, ended_at = clock_timestamp(), after_change = $3
     WHERE end_id IS NULL`,
    [newEventId(), reason, latest?.event_id ?? null],
  );
  await runner.query(`SELECT pg_notify('kernel_mode', 'normal')`);
}
