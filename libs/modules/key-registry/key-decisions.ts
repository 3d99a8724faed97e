import { Injectable } from '@nestjs/common';
import {
  type Asking,
  decideAnew,
  EventStore,
  type StoredEvent,
  type StreamVersion,
} from '#platform/event-store';
import { decideKeys, type KeyCommand, signerStream } from './domain/key-registry.decider';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners, type Registry } from './registered-signers';

/** Registry events come a few times a year; who meets somebody else's twice in a row is not needed any more. */
const MAX_ATTEMPTS = 5;

/** Answers about keys are remembered by the controller: a command about a key may take several commits. */
export type KeyAsking = Omit<Asking, 'idempotency'>;

/** Makes decisions about keys: folds the registry, decides, commits on what it was decided upon, or decides anew. */
@Injectable()
export class KeyDecisions {
  constructor(
    private readonly store: EventStore,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  /**
   * @param command of the registry as it is; asked again when it has changed before the commit
   * @param how `whateverTheMode`: also while nothing else may be written; `store`: another one than that of the key in force
   * @returns what was committed; nothing when it was decided before
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
      const context = { now: this.options.now().getTime(), overlapMs: this.options.overlapMs };
      const events = decideKeys(registry.state, decided, context);
      if (events.length === 0) return [];
      const writes = events.map(({ stream, type, payload }) => ({
        stream,
        expectedVersion: registry.versions.get(stream) ?? 0,
        events: [{ type, payload }],
      }));
      const requires = involved(decided, registry).filter(
        ({ stream }) => !writes.some((write) => write.stream === stream),
      );
      const result = await store.append({ actor, correlationId, writes, requires, whateverTheMode });
      return result.replayed ? [] : result.events;
    });
  }
}

/** The streams of the keys that the command speaks of. */
function involved(command: KeyCommand, { versions }: Registry): StreamVersion[] {
  const kids = 'from' in command ? [command.from, command.to.signer_kid] : [command.kid];
  return kids.map((kid) => {
    const stream = signerStream(kid);
    return { stream, version: versions.get(stream) ?? 0 };
  });
}
