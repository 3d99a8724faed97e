import { setTimeout as delay } from 'node:timers/promises';

/** At random between half of it and all of it, so that those who failed together do not come back together. */
export function halfJitter(ms: number, random: () => number = Math.random): number {
  return ms * (0.5 + random() / 2);
}

/** Ends early, and quietly, when aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Pauses between attempts that go on for ever, each twice as long as the one before, with jitter. */
export class GrowingPause {
  private next: number;

  constructor(
    private readonly firstMs = 50,
    private readonly longestMs = 2_000,
  ) {
    this.next = firstMs;
  }

  /** The pause that comes next, before jitter. */
  get nextMs(): number {
    return this.next;
  }

  /** Something worked: the next pause is a short one again. */
  reset(): void {
    this.next = this.firstMs;
  }

  /** Ends early, and quietly, when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = halfJitter(this.next);
    this.next = Math.min(this.next * 2, this.longestMs);
    await pause(ms, signal);
  }
}
