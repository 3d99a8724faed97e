import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type JsonObject, POOL_STREAM } from '#evidence';
import { EventStore, isVersionConflict, KERNEL_ACTOR } from '#platform/event-store';
import { GovernanceOptions } from './governance.ports';

const RETRY_MS = 500;

/**
 * Registers the pool of the configuration in a chain that has none. From then on the configuration says nothing about
 * it: the pool changes only by upgrades.
 */
@Injectable()
export class FirstPool implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(FirstPool.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  private missing: string | null;

  constructor(
    private readonly store: EventStore,
    private readonly options: GovernanceOptions,
  ) {
    this.missing = options.firstPool === null ? null : 'the approver pool is not registered yet';
  }

  onApplicationBootstrap(): void {
    if (this.options.firstPool !== null) this.schedule(0);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Reason why there is no pool although the configuration names one; null otherwise. */
  problem(): string | null {
    return this.missing;
  }

  private schedule(ms: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.register().then((done) => {
        if (!done) this.schedule(RETRY_MS);
      });
    }, ms);
    this.timer.unref();
  }

  /** Returns false when it must be tried again: mostly because the signing backend is not available yet. */
  private async register(): Promise<boolean> {
    const pool = this.options.firstPool as unknown as JsonObject;
    try {
      if ((await this.store.loadStream(POOL_STREAM)).length === 0) {
        await this.store.append({
          actor: KERNEL_ACTOR,
          writes: [
            {
              stream: POOL_STREAM,
              expectedVersion: 0,
              events: [{ type: 'approver_pool.registered', payload: { version: 1, pool } }],
            },
          ],
        });
        this.logger.log('registered the first approver pool');
      }
    } catch (error) {
      // Another replica was first: its registration is valid.
      if (!isVersionConflict(error)) {
        this.missing = `the approver pool is not registered yet: ${error instanceof Error ? error.message : String(error)}`;
        return false;
      }
    }
    this.missing = null;
    return true;
  }
}
