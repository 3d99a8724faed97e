import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** Pauses between attempts, each twice as long as the one before, with jitter so that many do not come at once. */
export class GrowingPause {
  private next = FIRST_MS;

  /** Something worked: the next pause is a short one again. */
  reset(): void {
    this.next = FIRST_MS;
  }

  /** Ends early, and quietly, when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.next * (0.5 + Math.random() / 2);
    this.next = Math.min(this.next * 2, LONGEST_MS);
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
