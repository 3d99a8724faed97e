/** Lets so many through at a time, in the order they came; nobody waits longer than a given time. */
export class Turnstile {
  private inside = 0;
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly places: number,
    private readonly timeoutMs: number,
  ) {}

  /** @throws Error when no place became free in time */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.inside >= this.places) await this.turn();
    else this.inside++;
    try {
      return await work();
    } finally {
      // The place goes to whoever waits longest, without ever being free.
      const [next] = this.waiting;
      if (next) next();
      else this.inside--;
    }
  }

  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        clearTimeout(timer);
        this.waiting.delete(enter);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(enter);
        reject(new Error(`all ${this.places} connections for reading were busy for ${this.timeoutMs} ms`));
      }, this.timeoutMs);
      this.waiting.add(enter);
    });
  }
}
