import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { GovernanceReader } from './governance.reader';
import { timelineEntry, upgradeDetail } from './upgrade.view';

export interface UpgradeWithTimeline {
  upgrade: ReturnType<typeof upgradeDetail>;
  /** All events of its stream, in order. */
  timeline: ReturnType<typeof timelineEntry>[];
}

export class GetUpgrade extends Query<UpgradeWithTimeline> {
  constructor(readonly upgradeId: string) {
    super();
  }
}

@QueryHandler(GetUpgrade)
export class GetUpgradeHandler implements IQueryHandler<GetUpgrade, UpgradeWithTimeline> {
  constructor(private readonly reader: GovernanceReader) {}

  async execute({ upgradeId }: GetUpgrade): Promise<UpgradeWithTimeline> {
    const { state, events } = await this.reader.existing(upgradeId);
    const { governance } = await this.reader.governance();
    const now = await this.reader.now(events);
    return { upgrade: upgradeDetail(state, governance, now), timeline: events.map(timelineEntry) };
  }
}
