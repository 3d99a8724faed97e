import { setMaxListeners } from 'node:events';
import pLimit, { type LimitFunction } from 'p-limit';
import { type Late } from './deadline';

/** Limits on a job's wait for its turn; a running job is not affected. */
export interface Patience {
  /** The waiting job rejects with its reason. */
  signal?: AbortSignal;
  /** The longest wait for a place, and what to reject with after it. */
  atMost?: { ms: number; late: Late };
}

/**
 * Lets a bounded number of jobs run at once, in the order in which they came. p-limit counts and queues; it has no way
 * to leave its queue, so a job that gives up is passed over when its turn comes.
 */
export class Limiter {
  private readonly turns: LimitFunction;
  private readonly waiting = new Set<(reason: Error) => void>();
  private closed: (() => Error) | undefined;

  constructor(readonly limit: number) {
    this.turns = pLimit(limit);
  }

  /** @throws what {@link Patience} or {@link close} says, when the job did not get its turn */
  async run<T>(job: () => Promise<T>, patience: Patience = {}): Promise<T> {
    patience.signal?.throwIfAborted();
    if (this.closed !== undefined) throw this.closed();
    return this.turns.activeCount < this.limit ? this.turns(job) : this.queued(job, patience);
  }

  /** Jobs that wait for their turn. */
  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Runs a job for each item, and returns the results in order. */
  map<T, R>(items: readonly T[], job: (item: T) => Promise<R>): Promise<R[]> {
    return Promise.all(items.map((item) => this.run(() => job(item))));
  }

  /** Refuses waiting and new jobs; settles when the running jobs have ended. */
  async close(refusal: () => Error): Promise<void> {
    this.closed = refusal;
    for (const leave of this.waiting) leave(refusal());
    // Takes every place: turns come in order, so all earlier jobs have ended by then.
    const all = Promise.withResolvers<void>();
    let taken = 0;
    const take = (): Promise<void> => {
      if (++taken === this.limit) all.resolve();
      return all.promise;
    };
    await Promise.all(Array.from({ length: this.limit }, () => this.turns(take)));
  }

  private queued<T>(job: () => Promise<T>, { signal, atMost }: Patience): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const aborted = (): void => leave(signal?.reason as Error);
      const stopWaiting = (): void => {
        this.waiting.delete(leave);
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
      };
      const leave = (reason: Error): void => {
        stopWaiting();
        reject(reason);
      };
      const timer = atMost && setTimeout(() => leave(atMost.late(atMost.ms)), atMost.ms);
      if (signal !== undefined) {
        // Many jobs of one caller may wait on its one signal; Node warns of a leak from the eleventh listener on.
        setMaxListeners(0, signal);
        signal.addEventListener('abort', aborted, { once: true });
      }
      this.waiting.add(leave);
      void this.turns(async () => {
        if (!this.waiting.has(leave)) return;
        stopWaiting();
        await (async () => job())().then(resolve, reject);
      });
    });
  }
}
