import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { standForElection, type Term } from '#platform/event-store';
import { type CoordinatorPass, UpgradeCoordinator } from './upgrade-coordinator';

/** Between two looks: how late an expiry or an automatic application may be. */
const PASS_EVERY_MS = 1_000;
/** After a look that failed as a whole: mostly because the database is away. */
const RETRY_MS = 2_000;

export abstract class CoordinatorOptions {
  /** Of PostgreSQL itself, not of a pooler. */
  abstract readonly databaseUrl: string;
  /** Names this process to people. */
  abstract readonly holder: string;
  /** Whether it may write at all now; a mode may forbid it. */
  abstract mayDecide(): boolean;
  abstract onPass(pass: CoordinatorPass): void;
  abstract onTerm(leading: boolean): void;
}

/**
 * Runs the coordinator in one kernel process at a time (libs/platform/event-store/leadership). The election saves work and noise; that
 * nothing is done twice is the version's doing that each decision is committed with, which fences a coordinator that
 * wakes up late just as well.
 */
@Injectable()
export class CoordinatorTerm implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(CoordinatorTerm.name);
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly coordinator: UpgradeCoordinator,
    private readonly options: CoordinatorOptions,
  ) {}

  onApplicationBootstrap(): void {
    const { databaseUrl: url, holder } = this.options;
    this.running = standForElection(
      {
        url,
        name: 'upgrade-coordinator',
        holder,
        observer: {
          onElected: () => this.options.onTerm(true),
          onEnded: () => this.options.onTerm(false),
        },
      },
      (term) => this.lead(term),
      this.stopping.signal,
    ).catch((error: unknown) => this.logger.error(`the coordinator ended: ${String(error)}`));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async lead(term: Term): Promise<void> {
    while (term.holds()) {
      let pause = PASS_EVERY_MS;
      if (this.options.mayDecide()) {
        try {
          this.options.onPass(await this.coordinator.pass(() => term.holds()));
        } catch (error) {
          this.logger.warn(
            `the coordinator could not look: ${error instanceof Error ? error.message : String(error)}`,
          );
          pause = RETRY_MS;
        }
      }
      await delay(pause, undefined, { signal: term.signal }).catch(() => undefined);
    }
  }
}
