import { type Task } from '../check/tasks';
import { type StoredHead } from './event-rows';

/** Rows per task. */
const TASK_ROWS = 1_000;

/** The rows of kernel.events up to the heads that were read first: what is committed meanwhile is left for next time. */
export function* eventTasks(url: string, heads: StoredHead[], from: number): Generator<Task> {
  for (const { shard, last } of heads) {
    // The event before the first one to check gives the hash it must link to.
    for (let first = Math.max(1, from - 1); first <= last; first += TASK_ROWS) {
      yield { kind: 'rows', url, shard, first, last: Math.min(first + TASK_ROWS - 1, last) };
    }
  }
}
