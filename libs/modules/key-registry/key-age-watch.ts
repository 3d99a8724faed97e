import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventStore, isVersionConflict, KERNEL_ACTOR } from '#platform/event-store';
import { type KeyAge, keyAges } from './domain/key-age';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners } from './registered-signers';

/** Ages are counted in days. */
const INTERVAL_MS = 60 * 60 * 1_000;
/** While the registry cannot be read yet, or nothing can be signed. */
const RETRY_MS = 30_000;
/** A due key is recorded again after this time, until it is replaced. */
export const REMINDER_MS = 30 * 24 * 60 * 60 * 1_000;

/** Checks the age of the keys once an hour, and records which of them are due for rotation. */
@Injectable()
export class KeyAgeWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(KeyAgeWatch.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  /** Ages at the last check, for the metrics. */
  ages: readonly KeyAge[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule(RETRY_MS);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** @throws EventStoreError when the registry cannot be read, or a reminder cannot be recorded now */
  async look(): Promise<void> {
    const { state } = await this.registered.registry();
    const now = this.options.now().getTime();
    this.ages = keyAges(state, now, this.options.maxKeyAgeMs);
    for (const age of this.ages) if (age.due) await this.remind(age, now);
  }

  private schedule(delay: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.look().then(
        () => this.schedule(INTERVAL_MS),
        () => this.schedule(RETRY_MS),
      );
    }, delay);
    this.timer.unref();
  }

  /** Only one process records it: the version of the stream decides which. */
  private async remind({ kid, purposes, since, ageMs }: KeyAge, now: number): Promise<void> {
    const stream = `signer_age/${kid}`;
    const before = await this.store.loadStream(stream);
    const last = before.at(-1)?.event.ts;
    if (last !== undefined && now - Date.parse(last) < REMINDER_MS) return;
    this.logger.warn(`the key ${kid} signs since ${since} and is due for rotation (./kernel keys rotate)`);
    const payload = {
      signer_kid: kid,
      purposes: [...purposes],
      since,
      ageDays: Math.floor(ageMs / 86_400_000),
      maxAgeDays: Math.floor(this.options.maxKeyAgeMs / 86_400_000),
    };
    try {
      await this.store.append({
        actor: KERNEL_ACTOR,
        writes: [
          { stream, expectedVersion: before.length, events: [{ type: 'signer_age.exceeded', payload }] },
        ],
      });
    } catch (error) {
      if (!isVersionConflict(error)) throw error;
    }
  }
}
