import { ArchiveError } from './archive.error';

/** Lets a bounded number of jobs run at once, in the order in which they came; the others wait. */
export class ParallelGate {
  private running = 0;
  private closed = false;
  private readonly waiting: { start: () => void; refuse: (error: ArchiveError) => void }[] = [];
  private whenIdle: (() => void)[] = [];

  constructor(readonly limit: number) {
    if (!Number.isInteger(limit) || limit < 1) {
      throw new ArchiveError('invalid_options', `At least one operation has to run at once, not ${limit}.`);
    }
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.closed) throw closedError();
    if (this.running >= this.limit) {
      await new Promise<void>((start, refuse) => this.waiting.push({ start, refuse }));
    } else {
      this.running += 1;
    }
    try {
      return await job();
    } finally {
      // The place goes to the next one without becoming free in between, so that nobody overtakes.
      const next = this.waiting.shift();
      if (next === undefined) this.leave();
      else next.start();
    }
  }

  /** Refuses whoever waits and whoever comes; settles when the running jobs have ended. */
  async close(): Promise<void> {
    this.closed = true;
    for (const { refuse } of this.waiting.splice(0)) refuse(closedError());
    if (this.running > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private leave(): void {
    this.running -= 1;
    if (this.running > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}

function closedError(): ArchiveError {
  return new ArchiveError('closed', 'The archive is being closed and takes no more operations.');
}
