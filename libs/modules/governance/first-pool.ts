import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  type ApproverPool,
  canonicalize,
  type FirstPool as FoundingPool,
  FOUNDING_STREAM,
  type JsonObject,
  POOL_STREAM,
  readFounding,
  sha256Hex,
} from '#evidence';
import { EventStore, isVersionConflict, KERNEL_ACTOR } from '#platform/event-store';
import { GovernanceOptions } from './governance.ports';

const RETRY_MS = 500;

/** The first approver pool by its digest, as the founding of the kernel names it. */
export function firstPoolOf(pool: ApproverPool | null): FoundingPool | null {
  return pool === null
    ? null
    : { version: 1, sha256: sha256Hex(canonicalize(pool as unknown as JsonObject)) };
}

/**
 * Registers the pool of the configuration in a chain that has none: the one that the kernel was founded with, since it
 * is the anchor of every later one (docs/adr/0141-keys-change-under-the-locks-of-all-heads.md). From then on the configuration says nothing about
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

  /** Reason why this pool must not be registered, or not yet. */
  private async whyNot(): Promise<string | null> {
    const [first] = await this.store.loadStream(FOUNDING_STREAM);
    if (first === undefined) return 'the kernel is not founded yet: no key can sign';
    const { approverPool: founded } = readFounding(first.event.payload);
    const configured = firstPoolOf(this.options.firstPool);
    if (founded?.sha256 === configured?.sha256) return null;
    return founded === null
      ? 'the kernel was founded without an approver pool, and can never have one; take KERNEL_APPROVER_POOL away, or found a new kernel with it'
      : `the kernel was founded with the approver pool of SHA-256 ${founded.sha256}, and KERNEL_APPROVER_POOL has ${configured?.sha256}; put the pool of the founding back, and change it by an upgrade`;
  }

  /** Returns false when it must be tried again: mostly because the signing backend is not available yet. */
  private async register(): Promise<boolean> {
    const pool = this.options.firstPool as unknown as JsonObject;
    try {
      if ((await this.store.loadStream(POOL_STREAM)).length === 0) {
        this.missing = await this.whyNot();
        if (this.missing !== null) return false;
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
