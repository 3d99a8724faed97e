import { Injectable } from '@nestjs/common';
import {
  evolvePool,
  GOVERNANCE_SHARD,
  POOL_STREAM,
  type PoolState,
  REGISTRY_TYPES,
  registeredSigners,
} from '#evidence';
import { EventStore, eventsOfTypes, type StoredEvent, type StreamVersion } from '#platform/event-store';
import { GovernanceError } from './domain/governance.error';
import { evolvePolicy, initialPolicy, POLICY_STREAM } from './domain/governance.policy';
import { type Governance } from './domain/plan-effect';
import { evolveUpgrade, type UpgradeState } from './domain/upgrade.state';
import { GovernanceOptions, SigningKeyRegistry } from './governance.ports';

export function upgradeStream(upgradeId: string): string {
  return `upgrade/${upgradeId}`;
}

/** An upgrade with the events that made it. */
export interface LoadedUpgrade {
  state: UpgradeState;
  events: StoredEvent[];
}

/** Everything is folded from the chain: there is no other copy that could be older. */
@Injectable()
export class GovernanceReader {
  constructor(
    private readonly store: EventStore,
    private readonly options: GovernanceOptions,
    private readonly keys: SigningKeyRegistry,
  ) {}

  /** The pool with its events; null before the first one is registered. */
  async pool(): Promise<{ state: PoolState | null; events: StoredEvent[] }> {
    const events = await this.store.loadStream(POOL_STREAM);
    return {
      events,
      state: events.reduce<PoolState | null>((state, { event }) => evolvePool(state, event), null),
    };
  }

  /** The events that made the key registry, the founding first. */
  async registryEvents(): Promise<StoredEvent[]> {
    const { state } = await this.keys.registry({ fresh: true });
    // Rows that say they change the keys, by whoever could insert them, are no part of it.
    const folded = new Set(state.marks.map(({ seq }) => seq));
    const events = await eventsOfTypes(this.store, REGISTRY_TYPES);
    return events
      .filter(({ event }) => event.shard === GOVERNANCE_SHARD && folded.has(event.seq))
      .sort((a, b) => a.event.seq - b.event.seq);
  }

  /**
   * The state by which upgrades are judged, and the versions of the streams it was read from.
   * @returns `keysAsOf`: the fence of the keys, on which a change of them rests, and a decision that says how many events
   * their registry has
   * @throws GovernanceError `no_pool`
   */
  async governance(): Promise<{
    governance: Governance;
    versions: StreamVersion[];
    keysAsOf: number;
  }> {
    const [pool, policyEvents, keys] = await Promise.all([
      this.pool(),
      this.store.loadStream(POLICY_STREAM),
      this.keys.registry({ fresh: true }),
    ]);
    if (pool.state === null) {
      throw new GovernanceError(
        'no_pool',
        'This kernel has no approver pool yet; it is registered at the first start, from KERNEL_APPROVER_POOL.',
      );
    }
    const policy = policyEvents.reduce(
      (state, { event }) => evolvePolicy(state, event),
      initialPolicy(this.options.policy),
    );
    return {
      governance: {
        pool: pool.state,
        policy,
        signers: registeredSigners(keys.state),
        signerEvents: keys.state.marks.length,
      },
      versions: [
        { stream: POOL_STREAM, version: pool.events.length },
        { stream: POLICY_STREAM, version: policyEvents.length },
      ],
      keysAsOf: keys.fence,
    };
  }

  async upgrade(upgradeId: string): Promise<LoadedUpgrade | null> {
    const events = await this.store.loadStream(upgradeStream(upgradeId));
    const state = events.reduce<UpgradeState | null>(
      (before, { event }) => evolveUpgrade(before, event),
      null,
    );
    return state === null ? null : { state, events };
  }

  /**
   * The time by which upgrades are judged, milliseconds since 1970: the later of the clock, the head of the chain and
   * the last of `events`. A clock that was once ahead leaves the chain's times ahead, and what the chain has recorded
   * must not lie in the future of who judges it.
   */
  async now(events: readonly StoredEvent[] = []): Promise<number> {
    const { ms } = await this.store.recentHead(this.store.shardOf(POOL_STREAM));
    return Math.max(
      this.options.now().getTime(),
      ms,
      ...events.slice(-1).map(({ event }) => Date.parse(event.ts)),
    );
  }

  /** @throws GovernanceError `upgrade_not_found` */
  async existing(upgradeId: string): Promise<LoadedUpgrade> {
    const found = await this.upgrade(upgradeId);
    if (found !== null) return found;
    throw new GovernanceError('upgrade_not_found', `There is no upgrade "${upgradeId}".`, { upgradeId });
  }
}
