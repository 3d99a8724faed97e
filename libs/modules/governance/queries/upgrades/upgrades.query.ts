import { Query } from '@nestjs/cqrs';
import { type UpgradeType } from '../../domain/upgrade.manifest';
import { type RecordedStatus } from '../../domain/upgrade.state';
import { type upgradeSummary } from '../../upgrade.view';

export interface UpgradePage {
  upgrades: ReturnType<typeof upgradeSummary>[];
  /** Null on the last page. A page that few upgrades matched may be short and have a next one. */
  nextCursor: string | null;
}

export interface UpgradeFilter {
  /** As of now, not as last recorded. */
  status: RecordedStatus | null;
  type: UpgradeType | null;
}

/** One page of upgrades, newest first, each with what holds now. */
export class ListUpgrades extends Query<UpgradePage> {
  constructor(
    readonly filter: UpgradeFilter,
    readonly page: { cursor?: string; limit: number },
  ) {
    super();
  }
}
