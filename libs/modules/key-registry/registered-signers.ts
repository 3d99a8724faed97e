import { Injectable } from '@nestjs/common';
import {
  evolveKeys,
  type KeyRegistryState,
  NO_KEYS,
  REGISTRY_TYPES,
  registeredSigners,
  type SignerEntry,
} from '#evidence';
import { EventStore } from '#platform/event-store';
import { KeyRegistryOptions } from './key-registry.options';

/** Largest age of the answer; another replica's registration is seen after this time at the latest. */
const MAX_AGE_MS = 1_000;

/** The registry as the chain has it. */
export interface Registry {
  readonly state: KeyRegistryState;
  /** Version of each stream that it was folded from. */
  readonly versions: ReadonlyMap<string, number>;
}

/** The registry, folded from the chain's own events. */
@Injectable()
export class RegisteredSigners {
  private cached: { at: number; registry: Registry } | undefined;
  private loading: Promise<Registry> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly options: KeyRegistryOptions,
  ) {}

  /** @returns every signer ever registered, in order of registration, with its current status */
  async signers(how: { fresh?: boolean } = {}): Promise<SignerEntry[]> {
    return registeredSigners((await this.registry(how)).state);
  }

  async registry({ fresh = false } = {}): Promise<Registry> {
    const now = this.options.now().getTime();
    if (!fresh && this.cached && Math.abs(now - this.cached.at) < MAX_AGE_MS) return this.cached.registry;
    // A read already in progress may have begun before the change that the caller wants to see.
    if (fresh) await this.loading?.catch(() => undefined);
    this.loading ??= this.load().finally(() => (this.loading = undefined));
    const registry = await this.loading;
    this.cached = { at: now, registry };
    return registry;
  }

  private async load(): Promise<Registry> {
    const events = (await this.store.genuineOfTypes(REGISTRY_TYPES)).map(({ event }) => event);
    events.sort((a, b) => a.ts.localeCompare(b.ts) || a.shard - b.shard || a.seq - b.seq);
    const versions = new Map<string, number>();
    for (const { stream, streamVersion } of events) {
      versions.set(stream, Math.max(streamVersion, versions.get(stream) ?? 0));
    }
    return { state: events.reduce(evolveKeys, NO_KEYS), versions };
  }
}
