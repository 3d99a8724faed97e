import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { EventStore } from '#libs/event-store';
import { GovernanceOptions } from '../../governance.ports';
import { GovernanceReader } from '../../governance.reader';
import { upgradeSummary } from '../../upgrade.view';
import { mapFew } from '../map-few';
import { ListUpgrades, type UpgradePage } from './upgrades.query';

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
    const upgrades = await mapFew(events, async ({ event }) => {
      const { state } = await this.reader.existing(event.stream.slice('upgrade/'.length));
      return upgradeSummary(state, governance, this.options.now().getTime());
    });
    return { upgrades, nextCursor };
  }
}
