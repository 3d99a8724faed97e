import { type Statement } from '#platform/postgres';

/**
 * Opens a transaction and locks the shard's head row, in one round trip. A later statement reads the state: its
 * snapshot must be younger than the lock.
 *
 * A paused holder of the row loses it when the session times out.
 */
export function lockHead(shard: number, timeoutMs: number): string {
  return `${begin(timeoutMs)}; SELECT shard FROM kernel.shard_head WHERE shard = ${Math.trunc(shard)} FOR UPDATE`;
}

/**
 * The same for the head rows of all shards, which it returns: they stay so until the commit. Ascending, always: whoever
 * locks more than one does so in this order, and whoever locks one waits for no other while holding it, so no two can wait
 * for each other.
 */
export function lockAllHeads(timeoutMs: number): string {
  return `${begin(timeoutMs)}; SELECT shard, seq, encode(hash, 'hex') AS hash FROM kernel.shard_head ORDER BY shard FOR UPDATE`;
}

function begin(timeoutMs: number): string {
  return `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.trunc(timeoutMs)}`;
}

/** The event that a head names, for a writer that holds its row. */
export const HEAD_EVENT: Statement = {
  name: 'kernel_head_event',
  text: 'SELECT canonical FROM kernel.events WHERE shard = $1 AND seq = $2',
};

export interface HeadRow {
  shard: number;
  seq: string;
  hash: string;
}

/**
 * Raises the fence of every shard: a group that was numbered before, in whatever process, is no longer committed, and is
 * numbered again with the key in force. A value in the row that the group's statement updates, since that is all that
 * PostgreSQL looks at again after a wait for a lock.
 */
export function raiseFences(seq: number): string {
  return `UPDATE kernel.shard_head SET fence = ${Math.trunc(seq)}`;
}
