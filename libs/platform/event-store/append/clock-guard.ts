import { EventStoreError } from '../event-store.error';

export interface ClockGuardOptions {
  /** The clock that events get their `ts` from, milliseconds since 1970. */
  now: () => number;
  /** A clock that no one can set, in milliseconds from any moment on. */
  monotonic: () => number;
  /** The database server's clock, milliseconds since 1970. @throws PostgresError */
  databaseTime: () => Promise<number>;
  /** By how much the clock may be ahead. */
  maxJumpMs: number;
  /** Called after each comparison with how far the clock is ahead, negative when it is behind. */
  compared?: (aheadMs: number) => void;
}

/** Age at which the last comparison with the database is repeated, beside the writes. */
const COMPARE_EVERY_MS = 5_000;
/** The same while the clock looks wrong, and writes wait for it. */
const COMPARE_AGAIN_MS = 500;

/**
 * Keeps a jump of the clock out of the chain. A `ts` is never earlier than the one before it, so an hour too many,
 * once written, stays until real time has caught up, and so does everything that is judged by it.
 *
 * Three clocks are compared: that of this process, which gives the `ts`, its monotonic clock, and that of the database
 * server. Between two looks at the database the monotonic clock says where the clock should be, which costs two system
 * calls a group and no round trip. When the clock is ahead of that, the database decides: if it is not ahead with it,
 * nothing is written. If both made the jump, as on one machine, it is believed once it has lasted as long as it may be
 * wide; a slip that is put right within that time never gets into the chain.
 */
export class ClockGuard {
  /** What the monotonic clock lacks to the database's time; null before the first comparison. */
  private reference: number | null = null;
  /** The database made a jump as well, and since when it says so. */
  private jump: { reference: number; since: number } | null = null;
  private comparedAt = -Infinity;
  private comparing: Promise<void> | undefined;

  constructor(private readonly options: ClockGuardOptions) {}

  /** The time for an event. @throws EventStoreError `clock_jumped` */
  now(): number {
    const now = this.options.now();
    const aheadMs = this.ahead(now);
    if (aheadMs <= this.options.maxJumpMs) return now;
    throw new EventStoreError('clock_jumped', `Nothing was committed: ${this.reason(aheadMs)}`, {
      committed: false,
      aheadMs: Math.round(aheadMs),
      maxJumpMs: this.options.maxJumpMs,
    });
  }

  /** Compares the clocks where that is due; waits for it only while there is no reference, or the clock looks wrong. */
  async settle(): Promise<void> {
    const age = this.options.monotonic() - this.comparedAt;
    if (this.reference === null) await this.compare();
    else if (this.ahead(this.options.now()) > this.options.maxJumpMs) {
      if (age >= COMPARE_AGAIN_MS) await this.compare();
    } else if (age >= COMPARE_EVERY_MS) {
      // A database that is away says so at the commit.
      void this.compare().catch(() => undefined);
    }
  }

  /** Why nothing can be written now; null when the clock is right, as far as the database can be asked. */
  async problem(): Promise<string | null> {
    await this.settle().catch(() => undefined);
    const aheadMs = this.ahead(this.options.now());
    return aheadMs <= this.options.maxJumpMs ? null : this.reason(aheadMs);
  }

  private async compare(): Promise<void> {
    this.comparing ??= this.look().finally(() => (this.comparing = undefined));
    await this.comparing;
  }

  private async look(): Promise<void> {
    const { monotonic, databaseTime, maxJumpMs } = this.options;
    // The moment before the question: the way there and back only makes the comparison more lenient.
    const asked = monotonic();
    const reference = (await databaseTime()) - asked;
    this.comparedAt = asked;
    this.follow(reference, asked, maxJumpMs);
    this.options.compared?.(this.ahead(this.options.now()));
  }

  private follow(reference: number, at: number, maxJumpMs: number): void {
    if (this.reference === null || reference - this.reference <= maxJumpMs) {
      this.reference = reference;
      this.jump = null;
      return;
    }
    if (this.jump === null || Math.abs(reference - this.jump.reference) > maxJumpMs) {
      this.jump = { reference, since: at };
    }
    if (at - this.jump.since < maxJumpMs) return;
    this.reference = reference;
    this.jump = null;
  }

  private ahead(now: number): number {
    return this.reference === null ? 0 : now - (this.options.monotonic() + this.reference);
  }

  private reason(aheadMs: number): string {
    const [ahead, most] = [aheadMs, this.options.maxJumpMs].map((ms) => Math.round(ms / 1_000));
    return (
      `the clock of this process is ${ahead} s ahead of where it should be by the database server's clock and the time that has passed, ` +
      `and ${most} s are allowed (KERNEL_MAX_CLOCK_JUMP_SECONDS). Set it right; writes go on by themselves then.`
    );
  }
}
