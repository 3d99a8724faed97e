/** Upgrades of the kernel and who decides about them: proposals, approvals, quorum, notifications, evidence. Divisions and their budgets are libs/modules/divisions. */
export { ApproverDirectory } from './approver-directory';
export { CoordinatorOptions } from './coordinator/coordinator-term';
export { type CoordinatorPass } from './coordinator/upgrade-coordinator';
export { GovernanceError, type GovernanceErrorCode } from './domain/governance.error';
export { DEFAULT_POLICY, type GovernancePolicy } from './domain/governance.policy';
export { FirstPool } from './first-pool';
export { GovernanceModule } from './governance.module';
export { CheckpointSigner, GovernanceOptions, KeyPossession } from './governance.ports';
export { NOTIFICATIONS } from './domain/upgrade.notifications';
export { NotificationOptions } from './notifications/notification.options';
export { ChallengeStore } from './webauthn/challenge-store';
export { WebAuthnOptions } from './webauthn/webauthn.options';
