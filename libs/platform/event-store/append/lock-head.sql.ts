/**
 * Opens a transaction and locks the shard's head row, in one round trip. A later statement reads the state: its
 * snapshot must be younger than the lock.
 *
 * A paused holder of the row loses it when the session times out.
 */
export function lockHead(shard: number, timeoutMs: number): string {
  return (
    `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.trunc(timeoutMs)}; ` +
    `SELECT shard FROM kernel.shard_head WHERE shard = ${Math.trunc(shard)} FOR UPDATE`
  );
}
