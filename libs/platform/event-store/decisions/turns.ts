import { EventStoreError } from '../event-store.error';

/** Most decisions that may wait for one thing in this process; each takes a few milliseconds. */
const MAX_WAITING = 256;

/**
 * Lets decisions about one thing take turns within this process, so that they do not conflict in the store. Conflicts
 * with other processes show there, by version.
 */
export class Turns {
  private readonly waiting = new Map<string, { last: Promise<unknown>; count: number }>();

  /** @throws EventStoreError `contended` when too many already wait */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.waiting.get(name) ?? { last: Promise.resolve(), count: 0 };
    if (line.count >= MAX_WAITING) {
      throw new EventStoreError(
        'contended',
        `${line.count} requests about ${name} wait already; try again later.`,
      );
    }
    line.count++;
    this.waiting.set(name, line);
    const turn = line.last.then(work);
    line.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      line.count--;
      if (line.count === 0) this.waiting.delete(name);
    }
  }
}
