import { halfJitter } from './pauses';

/** Failures in a row after which nothing more is sent. */
export const DEFAULT_FAILURES_TO_OPEN = 5;
/** How long nothing is sent after that, doubled with each failed trial. */
export const DEFAULT_OPEN_MS = 250;
/** Longest such time: a recovered backend is noticed within it. */
export const DEFAULT_LONGEST_OPEN_MS = 5_000;

export interface CircuitBreakerOptions {
  failuresToOpen?: number;
  openMs?: number;
  longestOpenMs?: number;
  /** Called when it opens (with the reason) and when it closes again (null). */
  onChange?: (reason: string | null) => void;
  /** Milliseconds that never go back. */
  now?: () => number;
  /** From 0 up to 1. */
  random?: () => number;
}

/** Permission for one call; the caller reports back exactly once. */
export interface Permit {
  succeeded(): void;
  failed(reason: string): void;
  /** Reports a call that said nothing about the backend: the request itself was refused. */
  undecided(): void;
}

/**
 * Keeps calls from a backend that has just failed several times in a row, so that callers get an answer at once and the
 * backend gets a rest. After a while one call goes through as a trial: its outcome decides for all.
 */
export class CircuitBreaker {
  private failures = 0;
  private openedBecause: string | null = null;
  private retryAt = 0;
  private restMs: number;
  private trialUnderWay = false;
  /** Increases whenever the circuit opens or closes: an earlier call says nothing about the time after. */
  private era = 0;

  private readonly failuresToOpen: number;
  private readonly openMs: number;
  private readonly longestOpenMs: number;
  private readonly now: () => number;
  private readonly random: () => number;

  constructor(private readonly options: CircuitBreakerOptions = {}) {
    this.failuresToOpen = options.failuresToOpen ?? DEFAULT_FAILURES_TO_OPEN;
    this.openMs = options.openMs ?? DEFAULT_OPEN_MS;
    this.longestOpenMs = options.longestOpenMs ?? DEFAULT_LONGEST_OPEN_MS;
    this.now = options.now ?? (() => performance.now());
    this.random = options.random ?? Math.random;
    this.restMs = this.openMs;
  }

  /** Why calls are refused now, or null while they are let through. */
  get openReason(): string | null {
    return this.openedBecause;
  }

  /** @returns null when the call must not be made */
  enter(): Permit | null {
    const isTrial = this.openedBecause !== null;
    if (isTrial) {
      if (this.trialUnderWay || this.now() < this.retryAt) return null;
      this.trialUnderWay = true;
    }
    const { era } = this;
    let reported = false;
    const report = (act: () => void): void => {
      if (reported) return;
      reported = true;
      if (era === this.era) act();
    };
    return {
      succeeded: () => report(() => this.close()),
      failed: (reason) => report(() => this.fail(isTrial, reason)),
      undecided: () =>
        report(() => {
          if (isTrial) this.trialUnderWay = false;
        }),
    };
  }

  /** A call succeeded, or something else has shown that the backend works. */
  close(): void {
    this.failures = 0;
    if (this.openedBecause === null) return;
    this.openedBecause = null;
    this.trialUnderWay = false;
    this.restMs = this.openMs;
    this.era++;
    this.options.onChange?.(null);
  }

  private fail(isTrial: boolean, reason: string): void {
    if (!isTrial && ++this.failures < this.failuresToOpen) return;
    const opens = this.openedBecause === null;
    this.openedBecause = reason;
    this.trialUnderWay = false;
    // With jitter: replicas that lost the same backend do not come back to it together.
    this.retryAt = this.now() + halfJitter(this.restMs, this.random);
    this.restMs = Math.min(this.restMs * 2, this.longestOpenMs);
    this.failures = 0;
    this.era++;
    if (opens) this.options.onChange?.(reason);
  }
}
