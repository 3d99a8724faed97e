import { Injectable } from '@nestjs/common';
import { type Asking, decideAnew, EventStore, type StoredEvent } from '#platform/event-store';
import { decideKeys, type KeyCommand } from './domain/key-registry.decider';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners, type Registry } from './registered-signers';

/** Registry events come a few times a year; a command that meets another's twice in a row is no longer needed. */
const MAX_ATTEMPTS = 5;

/** Answers about keys are remembered by the controller: a command about a key may take several commits. */
export type KeyAsking = Omit<Asking, 'idempotency'>;

/** Makes decisions about keys: folds the registry, decides, commits if the registry is unchanged, or decides again. */
@Injectable()
export class KeyDecisions {
  constructor(
    private readonly store: EventStore,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  /**
   * @param command made from the current registry; asked again when that has changed before the commit
   * @param how `whateverTheMode`: also while nothing else may be written; `store`: not that of the key in force
   * @returns the committed events; none when it was decided before
   * @throws KeyRegistryError, EventStoreError, SignerError
   */
  async decide(
    command: (registry: Registry) => Promise<KeyCommand> | KeyCommand,
    { actor, correlationId }: KeyAsking,
    { whateverTheMode = false, store = this.store }: { whateverTheMode?: boolean; store?: EventStore } = {},
  ): Promise<StoredEvent[]> {
    return decideAnew(MAX_ATTEMPTS, async () => {
      const registry = await this.registered.registry({ fresh: true });
      const decided = await command(registry);
      const context = { now: await this.now(), overlapMs: this.options.overlapMs };
      const events = decideKeys(registry.state, decided, context);
      if (events.length === 0) return [];
      const writes = events.map(({ stream, type, payload }) => ({
        stream,
        // The fence compares: it changes with every change of the keys, and with nothing else.
        expectedVersion: 'any' as const,
        events: [{ type, payload }],
      }));
      const keysAsOf = registry.fence;
      const result = await store.append({ actor, correlationId, writes, keysAsOf, whateverTheMode });
      return result.replayed ? [] : result.events;
    });
  }

  /**
   * The later of this process's clock and the newest event: another process's clock may be ahead of this one, and what it
   * recorded is not yet to come. Milliseconds since 1970.
   */
  async now(): Promise<number> {
    const heads = await this.store.heads();
    const newest = heads.map(({ ts }) => (ts === null ? 0 : Date.parse(ts)));
    return Math.max(this.options.now().getTime(), ...newest);
  }
}
