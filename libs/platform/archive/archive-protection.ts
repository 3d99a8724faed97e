import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '#platform/process';
import { type Archive } from './archive';
import { ArchiveError } from './archive.error';

/** Pause between attempts while the archive does not answer at the start. */
const RETRY_MS = 2_000;

/** Keeps an archive unused until it has proved that what is in it cannot be changed. */
export class ArchiveProtection {
  private why: string | null;

  /** @param required false in development, where any archive will do */
  constructor(
    private readonly archive: Archive,
    private readonly required: boolean,
    private readonly logger: Logger,
  ) {
    this.why = required ? 'its protection has not been checked yet' : null;
  }

  /** @throws Error while the archive is not used: a readiness check */
  check(): void {
    if (this.why !== null) throw new Error(`The archive is not used: ${this.why}.`);
  }

  /**
   * Settles when the archive may be used. A store that does not answer may be back soon; one that answers that it
   * protects nothing is refused.
   * @throws ArchiveError `not_protected`; the reason of the signal
   */
  async proved(signal?: AbortSignal): Promise<void> {
    while (this.required) {
      try {
        await this.archive.assertProtected();
        this.why = null;
        return;
      } catch (error) {
        if (!(error instanceof ArchiveError) || error.code !== 'unavailable') throw error;
        this.logger.warn({ err: error }, 'the archive does not answer; waits for it');
        this.why = error.message;
      }
      await delay(RETRY_MS, undefined, { ...(signal === undefined ? {} : { signal }) });
    }
  }
}
