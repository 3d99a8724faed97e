import { syncFolder } from '#platform/process';

/**
 * Directory flushes shared among the callers that wait for one: a flush covers every entry made before it began, so
 * parallel writers into one directory need two at most.
 */
export class DirectorySync {
  private readonly running = new Map<string, Promise<void>>();
  private readonly next = new Map<string, Promise<void>>();

  /** Settles when all current entries of the directory are durable. */
  async sync(dir: string): Promise<void> {
    // One that has not begun covers this entry as well; one that has may not.
    let next = this.next.get(dir);
    if (next === undefined) {
      next = this.after(this.running.get(dir), dir);
      this.next.set(dir, next);
    }
    await next;
  }

  private async after(running: Promise<void> | undefined, dir: string): Promise<void> {
    await running?.catch(() => undefined);
    this.next.delete(dir);
    const flush = syncFolder(dir);
    this.running.set(dir, flush);
    try {
      await flush;
    } finally {
      if (this.running.get(dir) === flush) this.running.delete(dir);
    }
  }
}
