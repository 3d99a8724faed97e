import { ClockGuard } from './clock-guard';
import { EventStoreError } from '../event-store.error';

const HOUR = 3_600_000;
const MAX = 60_000;

/** Three clocks that the test sets: this process's, its monotonic one and the database's. */
class Clocks {
  passed = 1_000;
  here = Date.parse('2026-03-01T00:00:00.000Z');
  database = this.here;
  questions = 0;
  away = false;
  readonly seen: number[] = [];
  readonly guard = new ClockGuard({
    now: () => this.here,
    monotonic: () => this.passed,
    databaseTime: async () => {
      this.questions++;
      if (this.away) throw new Error('the database is away');
      return Promise.resolve(this.database);
    },
    maxJumpMs: MAX,
    compared: (aheadMs) => this.seen.push(aheadMs),
  });

  pass(ms: number): void {
    this.passed += ms;
    this.here += ms;
    this.database += ms;
  }

  /** The code of the refusal of a write, or null. */
  async write(): Promise<string | null> {
    await this.guard.settle();
    try {
      expect(this.guard.now()).toBe(this.here);
      return null;
    } catch (error) {
      if (error instanceof EventStoreError) return error.code;
      throw error;
    }
  }
}

describe('the clock guard', () => {
  let clocks: Clocks;
  beforeEach(() => {
    clocks = new Clocks();
  });

  it('lets through what agrees, and asks the database now and then, not for each write', async () => {
    for (let n = 0; n < 1_000; n++) {
      expect(await clocks.write()).toBeNull();
      clocks.pass(10);
    }
    expect(clocks.questions).toBe(2);
    expect(clocks.seen).toEqual([0, 0]);
  });

  it('refuses the first time of a jump, by the monotonic clock alone', async () => {
    expect(await clocks.write()).toBeNull();
    clocks.here += 3 * HOUR;
    expect(() => clocks.guard.now()).toThrow(/10800 s ahead .* 60 s are allowed/s);
    expect(await clocks.guard.problem()).toMatch(/KERNEL_MAX_CLOCK_JUMP_SECONDS/);
  });

  it('refuses a clock that is ahead of the database from the start', async () => {
    clocks.here += MAX + 1_000;
    expect(await clocks.write()).toBe('clock_jumped');
  });

  it('takes what lies within the bound, and a clock that is behind', async () => {
    for (const by of [MAX, -2 * MAX, -HOUR]) {
      clocks.here += by;
      expect(await clocks.write()).toBeNull();
    }
  });

  it('recovers by itself when the clock is right again', async () => {
    expect(await clocks.write()).toBeNull();
    clocks.here += 3 * HOUR;
    for (let n = 0; n < 10; n++) {
      clocks.pass(HOUR);
      expect(await clocks.write()).toBe('clock_jumped');
    }
    clocks.here -= 3 * HOUR;
    expect(await clocks.write()).toBeNull();
    expect(await clocks.guard.problem()).toBeNull();
  });

  it('believes a jump that the database made too once it has lasted as long as it may be wide', async () => {
    expect(await clocks.write()).toBeNull();
    clocks.here += 3 * HOUR;
    clocks.database += 3 * HOUR;
    for (let second = 0; second <= 60; second++) {
      expect(await clocks.write()).toBe('clock_jumped');
      clocks.pass(1_000);
    }
    expect(await clocks.write()).toBeNull();
  });

  it('never writes a slip of both that is put right in time', async () => {
    expect(await clocks.write()).toBeNull();
    for (let n = 0; n < 5; n++) {
      clocks.here += 3 * HOUR;
      clocks.database += 3 * HOUR;
      for (let second = 0; second < 50; second++) {
        clocks.pass(1_000);
        expect(await clocks.write()).toBe('clock_jumped');
      }
      clocks.here -= 3 * HOUR;
      clocks.database -= 3 * HOUR;
      for (let second = 0; second < 20; second++) {
        clocks.pass(1_000);
        expect(await clocks.write()).toBeNull();
      }
    }
  });

  it('does not follow a database whose clock alone jumps, and then not this clock after it either', async () => {
    expect(await clocks.write()).toBeNull();
    clocks.database += 3 * HOUR;
    clocks.pass(5_000);
    expect(await clocks.write()).toBeNull();
    clocks.here += 3 * HOUR;
    expect(await clocks.write()).toBe('clock_jumped');
  });

  it('goes by the monotonic clock while the database is away', async () => {
    expect(await clocks.write()).toBeNull();
    clocks.away = true;
    clocks.pass(HOUR);
    expect(await clocks.write()).toBeNull();
    expect(await clocks.guard.problem()).toBeNull();
    clocks.here += HOUR;
    expect(() => clocks.guard.now()).toThrow(EventStoreError);
    expect(await clocks.guard.problem()).toContain('3600 s ahead');
  });
});
