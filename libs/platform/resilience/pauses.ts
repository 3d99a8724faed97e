import { setTimeout as delay } from 'node:timers/promises';

/** Random time between half of it and all of it, so that callers who failed together do not return together. */
export function halfJitter(ms: number, random: () => number = Math.random): number {
  return ms * (0.5 + random() / 2);
}

/** Pauses; ends early, and quietly, when aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Pauses between endless attempts, each twice as long as the one before, with jitter. */
export class GrowingPause {
  private next: number;

  constructor(
    private readonly firstMs = 50,
    private readonly longestMs = 2_000,
    private readonly jitter: (ms: number) => number = halfJitter,
  ) {
    this.next = firstMs;
  }

  /** Next pause, before jitter. */
  get nextMs(): number {
    return this.next;
  }

  /** Makes the next pause a short one again, after a success. */
  reset(): void {
    this.next = this.firstMs;
  }

  /** Pauses; ends early, and quietly, when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.jitter(this.next);
    this.next = Math.min(this.next * 2, this.longestMs);
    await pause(ms, signal);
  }
}
