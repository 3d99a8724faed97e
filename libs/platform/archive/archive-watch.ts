import { type Logger } from '#platform/process';
import { pause, stopAfter } from '#platform/resilience';
import { type Archive } from './archive';
import { ArchiveError } from './archive.error';

/** Together: a store that is away, or hangs, is known within seven seconds. */
const EVERY_MS = 3_000;
const ANSWER_MS = 3_000;
/** How often the log repeats that it is still away. */
const SAY_AGAIN_MS = 60_000;

export interface ArchiveWatchLimits {
  readonly everyMs?: number;
  readonly answerMs?: number;
}

/**
 * Looks every few seconds whether the archive answers, so that /ready and the log say so long before an operation has used
 * up its attempts.
 */
export class ArchiveWatch {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private away: { since: string; why: string; saidAt: number } | null = null;

  constructor(
    private readonly archive: Pick<Archive, 'reach'>,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly limits: ArchiveWatchLimits = {},
  ) {}

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Stops with what it is for, whether that does not start or is closed. */
  async during<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    let started: T;
    try {
      started = await starting;
    } catch (error) {
      await this.stop();
      throw error;
    }
    const close = async (): Promise<void> => {
      await this.stop();
      await started.close();
    };
    return { ...started, close };
  }

  /** @throws Error while the archive does not answer: a readiness check */
  check(): void {
    if (this.away === null) return;
    throw new Error(`The archive has not answered since ${this.away.since}: ${this.away.why}`);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const { everyMs = EVERY_MS } = this.limits;
    while (!signal.aborted) {
      await this.look();
      await pause(everyMs, signal);
    }
  }

  private async look(): Promise<void> {
    const { signal } = this.stopping;
    const began = new Date().toISOString();
    try {
      await stopAfter(
        this.limits.answerMs ?? ANSWER_MS,
        noAnswer,
        (limit) => this.archive.reach(limit),
        signal,
      );
    } catch (error) {
      if (!signal.aborted) this.isAway(began, error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.away === null) return;
    this.logger.info({ since: this.away.since }, 'the archive answers again');
    this.away = null;
  }

  private isAway(began: string, why: string): void {
    const now = performance.now();
    const { since = began, saidAt = -Infinity } = this.away ?? {};
    const isDue = now - saidAt >= SAY_AGAIN_MS;
    this.away = { since, why, saidAt: isDue ? now : saidAt };
    if (isDue) this.logger.warn({ since, reason: why }, 'the archive does not answer; tries again');
  }
}

function noAnswer(ms: number): ArchiveError {
  return new ArchiveError('unavailable', `No answer within ${ms} ms.`);
}
