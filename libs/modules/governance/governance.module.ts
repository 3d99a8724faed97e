import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RowKey } from '#platform/event-store';
import { IntegrityAlarm } from '#platform/kernel-store';
import { Candidate, Database } from '#platform/postgres';
import { type DeliveryOptions, WebhookDelivery, WebhookOutbox } from '#platform/webhooks';
import { ApproverDirectory } from './approver-directory';
import { BeginRegistrationHandler, RegisterCredentialHandler } from './register-credential.handler';
import { RedeliverNotificationHandler } from './redeliver-notification.handler';
import { DecideUpgradeHandler } from './decide-upgrade.handler';
import { RevokeApproverKeyHandler } from './revoke-approver-key.handler';
import { CoordinatorTerm } from './coordinator/coordinator-term';
import { UpgradeMetrics } from './coordinator/upgrade.metrics';
import { UpgradeCoordinator } from './coordinator/upgrade-coordinator';
import { FirstPool } from './first-pool';
import { GovernanceOptions } from './governance.ports';
import { GovernanceReader } from './governance.reader';
import { ApproversController } from './http/approvers.controller';
import { CredentialsController } from './http/credentials.controller';
import { ReviewController } from './http/review.controller';
import { NotificationsController } from './http/notifications.controller';
import { UpgradeController } from './http/upgrade.controller';
import { NotificationTerm } from './notifications/notification-term';
import { NotificationMetrics } from './notifications/notification.metrics';
import { NotificationOptions } from './notifications/notification.options';
import { UpgradeNotifier } from './notifications/upgrade-notifier';
import { GetApprovalRequestHandler } from './get-approval-request.handler';
import { GetApproversHandler } from './get-approvers.handler';
import { GetUpgradeEvidenceHandler } from './get-upgrade-evidence.handler';
import { ListNotificationsHandler } from './list-notifications.handler';
import { GetUpgradeHandler } from './get-upgrade.handler';
import { PublishedProofs } from './published-proofs';
import { ListUpgradesHandler } from './list-upgrades.handler';
import { ReviewUpgradesHandler } from './review-upgrades.handler';
import { UpgradeDecisions } from './upgrade.decisions';
import { ChallengeStore } from './webauthn/challenge-store';
import { WebAuthnOptions } from './webauthn/webauthn.options';
import { CredentialRegistration } from './webauthn/credential-registration';

export interface GovernanceModuleOptions extends GovernanceOptions {
  readonly candidate: Candidate;
  readonly webauthn: WebAuthnOptions;
  readonly notifications: NotificationOptions & Pick<DeliveryOptions, 'timeoutMs' | 'schedule'>;
}

/**
 * Upgrades and the people who decide about them. Needs EventStore, Database, AuditIndex, PositionReached, Registry,
 * ModeSource, ManifestSigner, SignerSource, PublishedLog, PipelineDurability and the ports of governance.ports.ts from global modules.
 */
@Module({})
export class GovernanceModule {
  static register(options: GovernanceModuleOptions): DynamicModule {
    const { candidate, webauthn, notifications } = options;
    return {
      module: GovernanceModule,
      imports: [CqrsModule],
      controllers: [
        UpgradeController,
        ReviewController,
        ApproversController,
        NotificationsController,
        CredentialsController,
      ],
      providers: [
        { provide: GovernanceOptions, useValue: options },
        { provide: Candidate, useValue: candidate },
        { provide: WebAuthnOptions, useValue: webauthn },
        { provide: NotificationOptions, useValue: notifications },
        UpgradeMetrics,
        NotificationMetrics,
        ChallengeStore,
        {
          provide: WebhookOutbox,
          useFactory: (database: Database, rowKey: RowKey, alarm: IntegrityAlarm) =>
            new WebhookOutbox(database, rowKey, (fault) => alarm.raise(fault)),
          inject: [Database, RowKey, IntegrityAlarm],
        },
        {
          provide: WebhookDelivery,
          useFactory: (outbox: WebhookOutbox, observer: NotificationMetrics) =>
            new WebhookDelivery(outbox, { ...notifications, observer }),
          inject: [WebhookOutbox, NotificationMetrics],
        },
        GovernanceReader,
        UpgradeDecisions,
        FirstPool,
        ApproverDirectory,
        UpgradeCoordinator,
        CoordinatorTerm,
        PublishedProofs,
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
        ReviewUpgradesHandler,
        GetUpgradeHandler,
        GetApprovalRequestHandler,
        GetApproversHandler,
        GetUpgradeEvidenceHandler,
      ],
    };
  }
}
