import { Query } from '@nestjs/cqrs';
import { type upgradeSummary } from '../../upgrade.view';

export interface UpgradePage {
  upgrades: ReturnType<typeof upgradeSummary>[];
  nextCursor: string | null;
}

/** One page of upgrades, newest first, each with what holds now. */
export class ListUpgrades extends Query<UpgradePage> {
  constructor(readonly page: { cursor?: string; limit: number }) {
    super();
  }
}
