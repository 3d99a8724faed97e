/** Lets a bounded number of jobs run at once, in the order in which they came. Who waits and is not wanted any more goes. */
export class InFlightLimit {
  private running = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** @throws the reason of the signal, when it is aborted before the job's turn */
  async run<T>(signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.running < this.limit) this.running++;
    else await this.turn(signal);
    try {
      return await job();
    } finally {
      // The place goes to the next one without becoming free in between, so that nobody overtakes.
      const [next] = this.waiting;
      if (next === undefined) this.running--;
      else next();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        this.waiting.delete(start);
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.waiting.delete(start);
        reject(signal.reason as Error);
      };
      this.waiting.add(start);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
