/**
 * Opens a transaction and takes the shard's head row, in one round trip. State is read by a statement after this one:
 * its snapshot must be younger than the lock.
 *
 * Whoever is paused while holding the row loses it when the session times out.
 */
export function lockHead(shard: number, timeoutMs: number): string {
  return (
    `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.trunc(timeoutMs)}; ` +
    `SELECT shard FROM kernel.shard_head WHERE shard = ${Math.trunc(shard)} FOR UPDATE`
  );
}
