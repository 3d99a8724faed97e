import { Query } from '@nestjs/cqrs';
import { type UpgradeEvidence } from '#evidence';

/** Everything that proves an upgrade, in one file for `tools/audit-verify.js --upgrade`. */
export class GetUpgradeEvidence extends Query<UpgradeEvidence> {
  constructor(readonly upgradeId: string) {
    super();
  }
}
