import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { EventStore } from '#libs/event-store';
import { GovernanceOptions } from '../../governance.ports';
import { GovernanceReader } from '../../governance.reader';
import { upgradeSummary } from '../../upgrade.view';
import { ListUpgrades, type UpgradePage } from './upgrades.query';

/** Streams loaded at a time: a list must not take every connection. */
const PARALLEL = 4;

@QueryHandler(ListUpgrades)
export class ListUpgradesHandler implements IQueryHandler<ListUpgrades, UpgradePage> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly options: GovernanceOptions,
  ) {}

  async execute({ page }: ListUpgrades): Promise<UpgradePage> {
    const { events, nextCursor } = await this.store.query({
      type: 'upgrade.proposed',
      order: 'newest',
      ...page,
    });
    if (events.length === 0) return { upgrades: [], nextCursor };
    const { governance } = await this.reader.governance();
    const upgrades: UpgradePage['upgrades'] = [];
    for (let at = 0; at < events.length; at += PARALLEL) {
      const loaded = await Promise.all(
        events
          .slice(at, at + PARALLEL)
          .map(({ event }) => this.reader.existing(event.stream.slice('upgrade/'.length))),
      );
      const now = this.options.now().getTime();
      upgrades.push(...loaded.map(({ state }) => upgradeSummary(state, governance, now)));
    }
    return { upgrades, nextCursor };
  }
}
