export { ApproverDirectory } from './approver-directory';
export { CoordinatorOptions } from './coordinator/coordinator-term';
export { type CoordinatorPass } from './coordinator/upgrade-coordinator';
export { DEPLOYMENT_AUTHORIZATION } from './deployment-authorization';
export { GovernanceError, type GovernanceErrorCode } from './domain/governance.error';
export { DEFAULT_POLICY, type GovernancePolicy } from './domain/governance.policy';
export { FirstPool } from './first-pool';
export { GovernanceModule } from './governance.module';
export { AuthorizationSigner, GovernanceOptions, GovernedSigners } from './governance.ports';
