import { Query } from '@nestjs/cqrs';
import { type Approver } from '#evidence';
import { type GovernancePolicy } from '../../domain/governance.policy';
import { type upgradeSummary } from '../../upgrade.view';

export interface Approvers {
  version: number;
  threshold: number;
  approvers: (Approver & { revokedKeys: string[] })[];
  /** How long approvals, proposals and ratifications hold. */
  policy: GovernancePolicy;
  /** The upgrade that has to be ratified for this pool to stay. */
  provisional: string | null;
  /** Proposed changes of the pool that are not settled yet. */
  pending: ReturnType<typeof upgradeSummary>[];
}

/** The pool in force, and what is under way. */
export class GetApprovers extends Query<Approvers> {}
