import { type Task } from '../check/tasks';
import { type EventRows, type StoredHead } from './event-rows';

/** Rows per task. */
const TASK_ROWS = 1_000;

/**
 * The rows of kernel.events up to the heads that were read first: what is committed meanwhile is left for next time.
 * Cut by counting rows, not positions: an intruder may have written any position.
 */
export async function* eventTasks(
  rows: EventRows,
  url: string,
  heads: StoredHead[],
  from: number,
): AsyncGenerator<Task> {
  for (const { shard, last } of heads) {
    // The event before the first one to check gives the hash it must link to.
    for (let first = Math.max(1, from - 1); first <= last;) {
      const end = Math.min(await rows.endOfPage(shard, first, TASK_ROWS), last);
      yield { kind: 'rows', url, shard, first, last: end };
      first = end + 1;
    }
  }
}
