import { hostname } from 'node:os';
import {
  type Abstract,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AuditModule } from '#modules/audit';
import { DivisionsModule } from '#modules/divisions';
import {
  ApproverDirectory,
  firstPoolOf,
  GovernanceModule,
  KeyPossession,
  SigningKeyRegistry,
} from '#modules/governance';
import {
  BackendKeys,
  KeyRegistryModule,
  KmsRequirement,
  ProxyManifestSigner,
  RegisteredKeyEventSigner,
  RegisteredSigners,
  WriteHold,
} from '#modules/key-registry';
import { ModesModule, ModeWatch, ReadOnlyHold, RestoredStore } from '#modules/modes';
import { ApproverNames, ChainOpen, PeopleModule, type PeopleOptions } from '#modules/people';
import { SigningModule } from '#modules/signing';
import { WebhooksModule } from '#modules/webhooks';
import { PipelineDurability } from '#platform/audit-stream';
import { type WebBundle } from '#platform/edge';
import { BehindListener, EventSigner, ModeSource } from '#platform/event-store';
import { trustRootIn } from '#platform/audit-stream';
import { KernelStoreModule } from '#platform/kernel-store';
import { PublishedLog } from '#platform/log';
import { Database } from '#platform/postgres';
import { type Logger, Registry } from '#platform/process';
import { ManifestSigner, SignerSource, SigningProxyClient } from '#platform/signer';
import { type WebhookEndpoint } from '#platform/webhooks';
import { type KernelConfig } from './kernel.config';
import { readLogTrust } from './log-policy-file';
import { readRowKey } from './row-key-file';
import { type WebhookTargets } from './webhook-targets';

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * HOUR_MS;

/** Ports that the platform or a module asks, each with the part of another module that answers. */
const PORTS = [
  // The event store asks who signs, whether it may write, and tells when it is behind what was signed.
  answers(EventSigner, RegisteredKeyEventSigner),
  answers(ModeSource, ModeWatch),
  answers(BehindListener, RestoredStore),
  // The key registry asks modes to hold writes while keys are in doubt.
  answers(WriteHold, ReadOnlyHold),
  // Signing, governance and divisions ask the key registry for signatures and signers.
  answers(ManifestSigner, ProxyManifestSigner),
  answers(SignerSource, RegisteredSigners),
  answers(KeyPossession, BackendKeys),
  answers(SigningKeyRegistry, RegisteredSigners),
];

/** The compiler checks that the one does what the other asks. */
function answers<T>(provide: Abstract<T>, useExisting: Type<T>) {
  return { provide, useExisting };
}

@Global()
@Module({})
class PortsModule implements OnApplicationShutdown {
  constructor(@Inject(SigningProxyClient) private readonly proxy: SigningProxyClient) {}

  static register(
    { config, proxy, log, registry }: Pick<KernelModuleOptions, 'config' | 'proxy' | 'log' | 'registry'>,
    imports: DynamicModule[],
  ): DynamicModule {
    const providers = [
      { provide: SigningProxyClient, useValue: proxy },
      { provide: Registry, useValue: registry },
      { provide: PublishedLog, useValue: log },
      {
        provide: PipelineDurability,
        useFactory: (database: Database) =>
          new PipelineDurability(database, registry, config.awaitTimeoutMs, config.awaitLimit),
        inject: [Database],
      },
      ...PORTS,
    ];
    return { module: PortsModule, imports, providers, exports: providers.map(({ provide }) => provide) };
  }

  /** Runs when nothing is written any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.proxy.close();
  }
}

/** What sign-in asks of modes and governance, once it asks. */
@Global()
@Module({
  providers: [
    {
      provide: ChainOpen,
      useFactory: (modules: ModuleRef): ChainOpen => ({
        assertOpen() {
          if (modules.get(ModeWatch, { strict: false }).current.restoring) {
            throw new Error('the store is being rebuilt from the archive');
          }
        },
      }),
      inject: [ModuleRef],
    },
    {
      provide: ApproverNames,
      useFactory: (modules: ModuleRef): ApproverNames => ({
        approverOf: (principal) => modules.get(ApproverDirectory, { strict: false }).approverOf(principal),
      }),
      inject: [ModuleRef],
    },
  ],
  exports: [ChainOpen, ApproverNames],
})
class PeoplePortsModule {}

export interface KernelModuleOptions {
  config: KernelConfig;
  proxy: SigningProxyClient;
  /** The published log, for receipts. */
  log: PublishedLog;
  registry: Registry;
  /** Endpoints that are told about upgrades. */
  webhooks: readonly WebhookEndpoint[];
  /** Where webhooks may lead to. */
  webhookTargets: WebhookTargets;
  /** How people sign in, where there is a listener for them. */
  people: PeopleOptions | undefined;
  /** The admin UI that this process serves. */
  adminUi: WebBundle | undefined;
  logger: Logger;
}

/** The kernel's service API: its modules, and what they run on. */
@Module({})
export class KernelModule {
  static register(options: KernelModuleOptions): DynamicModule {
    const { config, proxy, log, registry, webhooks, webhookTargets, people, adminUi, logger } = options;
    const { origin, shards, databaseUrl } = config;
    // Optional in production too: this process makes the keys that the file names, at the founding.
    const roots = config.trustRootFile === undefined ? null : trustRootIn(config.trustRootFile, origin);
    const self = { origin, now: () => new Date() };
    const candidate = { databaseUrl, holder: `kernel ${hostname()} ${process.pid}` };
    const modes = ModesModule.register({ logger });
    const keys = KeyRegistryModule.register({
      ...self,
      shards,
      roots,
      approverPool: firstPoolOf(config.approverPool ?? null),
      log: readLogTrust(config.logPolicyFile),
      firstAuditKid: config.signerId,
      directRotation: config.directKeyRotation,
      overlapMs: config.keyOverlapSeconds * 1_000,
      maxKeyAgeMs: config.keyMaxAgeDays * DAY_MS,
      requirement: new KmsRequirement(config),
      adminUiSha256: adminUi?.sha256 ?? null,
    });
    return {
      module: KernelModule,
      imports: [
        KernelStoreModule.register({
          connection: {
            url: databaseUrl,
            poolSize: config.databaseConnections,
            applicationName: 'kernel',
          },
          origin,
          shards,
          rowKey: readRowKey(config.rowKeyFile, origin),
          roots,
          logger,
          limits: {
            maxQueuedRequests: config.queueLimit,
            signTimeoutMs: config.kmsTimeoutMs,
            maxEventsPerSignature: config.maxEventsPerSignature,
          },
          maxClockJumpMs: config.maxClockJumpSeconds * 1_000,
        }),
        PortsModule.register({ config, proxy, log, registry }, [modes, keys]),
        PeoplePortsModule,
        PeopleModule.register({ options: people, logger }),
        keys,
        modes,
        AuditModule.register(self),
        SigningModule.register(self),
        GovernanceModule.register({
          ...self,
          policy: {
            approvalTtlHours: config.approvalTtlHours,
            proposalTtlHours: config.proposalTtlHours,
            ratificationHours: config.ratificationHours,
          },
          firstPool: config.approverPool ?? null,
          ownTypes: config.upgradeTypes ?? null,
          syncedPasskeys: config.webauthnSynced,
          candidate,
          webauthn: { rpId: config.webauthnRpId ?? null, origins: config.webauthnOrigins ?? [] },
          notifications: {
            endpoints: webhooks,
            expiringMs: config.webhookExpiringHours * HOUR_MS,
            timeoutMs: config.webhookTimeoutMs,
            schedule: { firstMs: config.webhookRetryMs, attempts: config.webhookAttempts },
          },
        }),
        DivisionsModule.register(self),
        WebhooksModule.register({
          ...self,
          addresses: webhookTargets.addresses,
          ca: webhookTargets.ca,
          candidate,
          timeoutMs: config.webhookTimeoutMs,
          schedule: { firstMs: config.webhookRetryMs, attempts: config.webhookAttempts },
        }),
      ],
    };
  }
}
