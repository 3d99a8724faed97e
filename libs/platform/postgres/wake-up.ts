/** Wakes the waiters of a shard. A signal that comes while no one waits is remembered for the next wait. */
export class WakeUp {
  private generation = 0;
  private readonly waiting = new Set<() => void>();

  /** Argument for `wait`: take it before looking for rows, so that none can slip in between. */
  get mark(): number {
    return this.generation;
  }

  signal(): void {
    this.generation++;
    for (const wake of [...this.waiting]) wake();
  }

  /** Resolves at the next signal since `mark`, after `timeoutMs`, or when aborted. */
  async wait(mark: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (mark !== this.generation || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
