import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AuditIndex } from '#platform/audit-stream';
import { Gauge, Registry } from '#platform/process';
import { DRILL_COMPLETED, DRILLS, type DrillName, newestPassed } from './domain/drills';

/** Drills are a matter of months. */
const INTERVAL_MS = 5 * 60_000;
/** While the index cannot be read yet. */
const RETRY_MS = 10_000;
/** Newest records that are looked at for each drill: failed ones may come after the last that passed. */
const LOOKED_AT = 50;

/** When each drill (`./kernel drill`) last passed, as the chain records it, for the alert that reminds of the next one. */
@Injectable()
export class LastDrills implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(LastDrills.name);
  private readonly passed: Gauge<'drill'>;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly index: AuditIndex,
    registry: Registry,
  ) {
    this.passed = new Gauge({
      name: 'kernel_drill_last_completed_timestamp_seconds',
      help: 'When a drill last passed, by the chain of this kernel; absent for one that never did.',
      labelNames: ['drill'],
      registers: [registry],
    });
  }

  onApplicationBootstrap(): void {
    this.schedule(0);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** @throws EventStoreError when the index cannot be read */
  async look(): Promise<void> {
    for (const drill of DRILLS) {
      const at = await this.lastOf(drill);
      if (at !== undefined) this.passed.set({ drill }, at / 1_000);
    }
  }

  private async lastOf(drill: DrillName): Promise<number | undefined> {
    const { events } = await this.index.query({
      stream: `drill/${drill}`,
      type: DRILL_COMPLETED,
      order: 'newest',
      limit: LOOKED_AT,
    });
    return newestPassed(events.map(({ event }) => event));
  }

  private schedule(delay: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.look().then(
        () => this.schedule(INTERVAL_MS),
        (error: Error) => {
          this.logger.debug?.(`the last drills cannot be looked at: ${error.message}`);
          this.schedule(RETRY_MS);
        },
      );
    }, delay);
    this.timer.unref();
  }
}
