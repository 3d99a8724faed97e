import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ApproverDirectory } from './approver-directory';
import { BeginRegistrationHandler, RegisterCredentialHandler } from './register-credential.handler';
import { RedeliverNotificationHandler } from './redeliver-notification.handler';
import { DecideUpgradeHandler } from './decide-upgrade.handler';
import { RevokeApproverKeyHandler } from './revoke-approver-key.handler';
import { CoordinatorTerm } from './coordinator/coordinator-term';
import { UpgradeCoordinator } from './coordinator/upgrade-coordinator';
import { FirstPool } from './first-pool';
import { GovernanceReader } from './governance.reader';
import { ApproversController } from './http/approvers.controller';
import { CredentialsController } from './http/credentials.controller';
import { NotificationsController } from './http/notifications.controller';
import { UpgradeController } from './http/upgrade.controller';
import { LogProofs } from './log/log-proofs';
import { NotificationTerm } from './notifications/notification-term';
import { UpgradeNotifier } from './notifications/upgrade-notifier';
import { GetApprovalRequestHandler } from './get-approval-request.handler';
import { GetApproversHandler } from './get-approvers.handler';
import { GetUpgradeEvidenceHandler } from './get-upgrade-evidence.handler';
import { ListNotificationsHandler } from './list-notifications.handler';
import { GetUpgradeHandler } from './get-upgrade.handler';
import { ListUpgradesHandler } from './list-upgrades.handler';
import { UpgradeDecisions } from './upgrade.decisions';
import { CredentialRegistration } from './webauthn/credential-registration';

/** Upgrades and who decides about them. Needs EventStore, AuditIndex, PositionReached and the ports of governance.ports.ts from `imports`. */
@Module({})
export class GovernanceModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: GovernanceModule,
      imports: [CqrsModule, ...imports],
      controllers: [UpgradeController, ApproversController, NotificationsController, CredentialsController],
      providers: [
        GovernanceReader,
        UpgradeDecisions,
        FirstPool,
        ApproverDirectory,
        UpgradeCoordinator,
        CoordinatorTerm,
        LogProofs,
        UpgradeNotifier,
        NotificationTerm,
        RedeliverNotificationHandler,
        CredentialRegistration,
        BeginRegistrationHandler,
        RegisterCredentialHandler,
        ListNotificationsHandler,
        DecideUpgradeHandler,
        RevokeApproverKeyHandler,
        ListUpgradesHandler,
        GetUpgradeHandler,
        GetApprovalRequestHandler,
        GetApproversHandler,
        GetUpgradeEvidenceHandler,
      ],
      exports: [GovernanceReader, UpgradeDecisions, FirstPool, ApproverDirectory],
    };
  }
}
