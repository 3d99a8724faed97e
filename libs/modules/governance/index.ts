/**
 * Decides about upgrades of the kernel: proposals, approvals, quorum, notifications and evidence. Divisions and their
 * budgets are libs/modules/divisions.
 */
export { ApproverDirectory } from './approver-directory';
export { ableApprovers } from './domain/able-approvers';
export { GovernanceError } from './domain/governance.error';
export { DEFAULT_POLICY } from './domain/governance.policy';
export { NOTIFICATIONS } from './domain/upgrade.notifications';
export { FirstPool, firstPoolOf } from './first-pool';
export { GovernanceModule } from './governance.module';
export { KeyPossession, SigningKeyRegistry } from './governance.ports';
