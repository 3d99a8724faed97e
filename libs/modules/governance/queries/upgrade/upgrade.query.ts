import { Query } from '@nestjs/cqrs';
import { type timelineEntry, type upgradeDetail } from '../../upgrade.view';

export interface UpgradeWithTimeline {
  upgrade: ReturnType<typeof upgradeDetail>;
  /** Every event of its stream, in order. */
  timeline: ReturnType<typeof timelineEntry>[];
}

export class GetUpgrade extends Query<UpgradeWithTimeline> {
  constructor(readonly upgradeId: string) {
    super();
  }
}
