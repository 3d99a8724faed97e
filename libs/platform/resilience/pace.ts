import { pause } from './pauses';

/**
 * Least time between the beginnings of two rounds of work: what comes meanwhile is done together, since a round costs much
 * the same for one piece as for fifty. Work that comes alone waits for nothing.
 */
export class Pace {
  private began = Number.NEGATIVE_INFINITY;

  /** @param ms 0: none */
  constructor(private readonly ms: number) {}

  /** A round begins. */
  begin(): void {
    this.began = performance.now();
  }

  /** Waits until the next round may begin; ends early, and quietly, when aborted. */
  async rest(signal: AbortSignal): Promise<void> {
    const ms = this.began + this.ms - performance.now();
    if (ms > 0) await pause(ms, signal);
  }
}
