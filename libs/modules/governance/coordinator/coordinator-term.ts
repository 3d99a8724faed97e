import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModeSource } from '#platform/event-store';
import { Candidate, ElectedJob } from '#platform/postgres';
import { UpgradeCoordinator } from './upgrade-coordinator';
import { UpgradeMetrics } from './upgrade.metrics';

/** Largest delay of an expiry or an automatic application. */
const LOOK_EVERY_MS = 1_000;

/**
 * Runs the coordinator in one kernel process at a time. The election only saves work and noise; the version with which
 * each decision is committed ensures that nothing is done twice, and also fences a coordinator that wakes up late.
 */
@Injectable()
export class CoordinatorTerm implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly job: ElectedJob;

  constructor(
    coordinator: UpgradeCoordinator,
    candidate: Candidate,
    modes: ModeSource,
    metrics: UpgradeMetrics,
  ) {
    this.job = new ElectedJob({
      candidate,
      name: 'upgrade-coordinator',
      everyMs: LOOK_EVERY_MS,
      logger: new Logger(CoordinatorTerm.name),
      mayWork: () => modes.current.mode === 'normal',
      look: async (term) => metrics.onPass(await coordinator.pass(() => term.holds())),
      onTerm: (leading) => metrics.onTerm(leading),
    });
  }

  onApplicationBootstrap(): void {
    this.job.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.job.stop();
  }
}
