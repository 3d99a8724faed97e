import { hostname } from 'node:os';
import {
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import {
  assertMigrated,
  Database,
  DataSource,
  DEFAULT_LIMITS,
  EventStore,
  eventStoreDataSourceOptions,
  type EventStoreObserver,
} from '#platform/event-store';
import { AuditModule, LegalHoldList } from '#modules/audit';
import { DivisionsModule, DivisionsOptions } from '#modules/divisions';
import { ManifestSigner, SignerSource } from '#platform/signer';
import { AuditIndex, PositionReached } from '#platform/audit-stream';
import {
  BackendKeys,
  KeyAgeWatch,
  KeyRegistryModule,
  KeyRegistryOptions,
  ModeSource,
  RegisteredSigners,
  RegistrationStores,
  RegistryChanges,
  SigningKeys,
  WriteHold,
} from '#modules/key-registry';
import {
  ChallengeStore,
  CheckpointSigner,
  CoordinatorOptions,
  GovernanceModule,
  GovernanceOptions,
  KeyPossession,
  NotificationOptions,
  WebAuthnOptions,
} from '#modules/governance';
import { ModeRecorder, ModesModule, ModeStore, ModeWatch } from '#modules/modes';
import { type Logger, type Registry } from '#platform/process';
import { SigningProxyClient } from '#platform/signer';
import { WebhookDelivery, type WebhookEndpoint, WebhookOutbox } from '#platform/webhooks';
import { SigningModule, SigningOptions } from '#modules/signing';
import { AppendMetrics } from './append-metrics';
import { type KernelConfig } from './kernel.config';
import { KeyMetrics } from './key-metrics';
import { KmsRequirement } from './kms-requirement';
import { ModeMetrics } from './mode-metrics';
import { ModeWriteHold } from './mode-write-hold';
import {
  FixedKeyEventSigner,
  ProxyKeyPossession,
  ProxyCheckpointSigner,
  ProxyKeys,
  ProxyManifestSigner,
  RegisteredKeyEventSigner,
} from './proxy-signers';
import { NotifiedRegistryChanges } from './registry-changes';
import { RestoredStore } from './restored-store';
import { StoredLegalHolds } from './stored-legal-holds';
import { NotificationMetrics } from './notification-metrics';
import { UpgradeMetrics } from './upgrade-metrics';

const HOUR_MS = 60 * 60 * 1_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

export interface KernelModuleOptions {
  config: KernelConfig;
  proxy: SigningProxyClient;
  registry: Registry;
  /** Who is told about upgrades. */
  webhooks: readonly WebhookEndpoint[];
  logger: Logger;
}

/** Refuses a database that lacks migrations or holds another chain, before anything is read from it. */
abstract class SchemaCheck {
  /** @throws EventStoreError */
  abstract assert(): Promise<void>;
}

/** What every module builds on: the store, the proxy's client, and the bindings of the modules' ports to them. */
@Global()
@Module({})
class FoundationModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(SigningProxyClient) private readonly proxy: SigningProxyClient,
    @Inject(ModeWatch) private readonly modes: ModeWatch,
    @Inject(ModeRecorder) private readonly modeRecorder: ModeRecorder,
    @Inject(SchemaCheck) private readonly schema: SchemaCheck,
    @Inject(RestoredStore) private readonly restored: RestoredStore,
    @Inject(RegistryChanges) private readonly registryChanges: NotifiedRegistryChanges,
  ) {}

  /** Before anything of the chain is touched: the first keys register themselves, and not in every mode. */
  async onModuleInit(): Promise<void> {
    await this.schema.assert();
    await this.modes.start();
    this.modes.onLook(() => void this.modeRecorder.record());
    void this.modeRecorder.record();
    void this.restored.look(
      () => this.proxy.marks(),
      () => this.store.heads(),
    );
  }

  static register({ config, proxy, registry, logger }: KernelModuleOptions): DynamicModule {
    const { origin, shards } = config;
    const limits = {
      ...DEFAULT_LIMITS,
      maxQueuedRequests: config.queueLimit,
      signTimeoutMs: config.kmsTimeoutMs,
    };
    const options: KeyRegistryOptions & SigningOptions = {
      origin,
      firstAuditKid: config.signerId,
      now: () => new Date(),
      directRotation: config.directKeyRotation,
      overlapMs: config.keyOverlapSeconds * 1_000,
      maxKeyAgeMs: config.keyMaxAgeDays * DAY_MS,
    };
    return {
      module: FoundationModule,
      imports: [
        TypeOrmModule.forRoot({
          ...eventStoreDataSourceOptions({
            url: config.databaseUrl,
            poolSize: config.databaseConnections,
            applicationName: 'kernel',
          }),
          retryAttempts: 0,
        }),
      ],
      providers: [
        { provide: SigningProxyClient, useValue: proxy },
        { provide: AppendMetrics, useFactory: () => new AppendMetrics(registry) },
        {
          provide: RegisteredKeyEventSigner,
          useFactory: (metrics: AppendMetrics) => new RegisteredKeyEventSigner(proxy, metrics),
          inject: [AppendMetrics],
        },
        {
          provide: EventStore,
          useFactory: (
            dataSource: DataSource,
            signer: RegisteredKeyEventSigner,
            metrics: AppendMetrics,
            modes: ModeWatch,
            restored: RestoredStore,
          ) => {
            const mayAppend = (): void => modes.assertWritable();
            const observer: EventStoreObserver = {
              onBatch: (report) => metrics.onBatch(report),
              onAppend: (ms) => metrics.onAppend(ms),
              onRefusal: (code) => metrics.onRefusal(code),
              onRetry: (reason) => metrics.onRetry(reason),
              onBehind: (behind) => restored.notice(behind),
            };
            return new EventStore({ dataSource, origin, shards, signer, limits, observer, mayAppend });
          },
          inject: [getDataSourceToken(), RegisteredKeyEventSigner, AppendMetrics, ModeWatch, RestoredStore],
        },
        {
          provide: RestoredStore,
          useFactory: (modes: ModeStore, watch: ModeWatch) => new RestoredStore(modes, watch, logger),
          inject: [ModeStore, ModeWatch],
        },
        {
          provide: AuditIndex,
          useFactory: (dataSource: DataSource) => new AuditIndex({ dataSource, shards }),
          inject: [getDataSourceToken()],
        },
        {
          provide: PositionReached,
          useFactory: (store: EventStore, index: AuditIndex) => new PositionReached(store, index),
          inject: [EventStore, AuditIndex],
        },
        {
          provide: RegistrationStores,
          useFactory: (
            dataSource: DataSource,
            observer: AppendMetrics,
            modes: ModeWatch,
          ): RegistrationStores => ({
            signedBy: (key) =>
              new EventStore({
                dataSource,
                origin,
                shards,
                signer: new FixedKeyEventSigner(key, proxy, observer),
                limits,
                observer,
                mayAppend: () => modes.assertWritable(),
              }),
          }),
          inject: [getDataSourceToken(), AppendMetrics, ModeWatch],
        },
        {
          provide: ModeStore,
          useFactory: (dataSource: DataSource) =>
            new ModeStore(new Database(dataSource, limits.storeTimeoutMs)),
          inject: [getDataSourceToken()],
        },
        {
          provide: SchemaCheck,
          useFactory: (dataSource: DataSource): SchemaCheck => ({
            assert: () => assertMigrated(dataSource, { origin, shards }),
          }),
          inject: [getDataSourceToken()],
        },
        { provide: ModeWatch, useFactory: (store: ModeStore) => new ModeWatch(store), inject: [ModeStore] },
        {
          provide: ModeRecorder,
          useFactory: (store: ModeStore, events: EventStore, watch: ModeWatch) =>
            new ModeRecorder(store, events, () => watch.current),
          inject: [ModeStore, EventStore, ModeWatch],
        },
        {
          provide: ModeSource,
          useFactory: (watch: ModeWatch): ModeSource => ({ current: () => watch.current }),
          inject: [ModeWatch],
        },
        {
          provide: ModeMetrics,
          useFactory: (watch: ModeWatch, recorder: ModeRecorder) =>
            new ModeMetrics(registry, watch, recorder),
          inject: [ModeWatch, ModeRecorder],
        },
        {
          provide: RegistryChanges,
          useFactory: (dataSource: DataSource) =>
            new NotifiedRegistryChanges(new Database(dataSource, limits.storeTimeoutMs)),
          inject: [getDataSourceToken()],
        },
        {
          provide: WriteHold,
          useFactory: (modes: ModeStore, watch: ModeWatch) => new ModeWriteHold(modes, watch),
          inject: [ModeStore, ModeWatch],
        },
        {
          provide: LegalHoldList,
          useFactory: (dataSource: DataSource) => new StoredLegalHolds(dataSource),
          inject: [getDataSourceToken()],
        },
        {
          provide: BackendKeys,
          useFactory: () => new ProxyKeys(proxy, new KmsRequirement(config), origin),
        },
        { provide: KeyRegistryOptions, useValue: options },
        { provide: SigningOptions, useValue: options },
      ],
      exports: [
        EventStore,
        AuditIndex,
        PositionReached,
        AppendMetrics,
        RegisteredKeyEventSigner,
        SigningProxyClient,
        RegistrationStores,
        RegistryChanges,
        WriteHold,
        LegalHoldList,
        BackendKeys,
        KeyRegistryOptions,
        SigningOptions,
        ModeStore,
        ModeWatch,
        ModeRecorder,
        ModeSource,
      ],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.restored.close();
    await this.registryChanges.close();
    await this.modes.close();
    await this.modeRecorder.close();
    await this.store.close();
    await this.proxy.close();
  }
}

/** Binds what the signing module asks of the key registry. */
@Module({})
class SigningPortsModule {
  static register(keyRegistry: DynamicModule): DynamicModule {
    return {
      module: SigningPortsModule,
      imports: [keyRegistry],
      providers: [
        {
          provide: ManifestSigner,
          useFactory: (proxy: SigningProxyClient, keys: SigningKeys, metrics: AppendMetrics) =>
            new ProxyManifestSigner(proxy, keys, metrics),
          inject: [SigningProxyClient, SigningKeys, AppendMetrics],
        },
        {
          provide: SignerSource,
          useExisting: RegisteredSigners,
        },
      ],
      exports: [ManifestSigner, SignerSource],
    };
  }
}

/** Binds what the governance module asks of the key registry. */
@Module({})
class GovernancePortsModule {
  static register(
    keyRegistry: DynamicModule,
    { config, registry, webhooks }: KernelModuleOptions,
  ): DynamicModule {
    const { origin } = config;
    const holder = `kernel ${hostname()} ${process.pid}`;
    const notificationMetrics = new NotificationMetrics(registry);
    const options: GovernanceOptions = {
      origin,
      policy: {
        approvalTtlHours: config.approvalTtlHours,
        proposalTtlHours: config.proposalTtlHours,
        ratificationHours: config.ratificationHours,
      },
      firstPool: config.approverPool ?? null,
      now: () => new Date(),
    };
    return {
      module: GovernancePortsModule,
      imports: [keyRegistry],
      providers: [
        {
          provide: ManifestSigner,
          useFactory: (proxy: SigningProxyClient, keys: SigningKeys, metrics: AppendMetrics) =>
            new ProxyManifestSigner(proxy, keys, metrics),
          inject: [SigningProxyClient, SigningKeys, AppendMetrics],
        },
        {
          provide: KeyPossession,
          useFactory: (proxy: SigningProxyClient): KeyPossession => new ProxyKeyPossession(proxy, origin),
          inject: [SigningProxyClient],
        },
        {
          provide: SignerSource,
          useExisting: RegisteredSigners,
        },
        {
          provide: CheckpointSigner,
          useFactory: (proxy: SigningProxyClient, keys: SigningKeys) =>
            new ProxyCheckpointSigner(proxy, keys),
          inject: [SigningProxyClient, SigningKeys],
        },
        { provide: GovernanceOptions, useValue: options },
        { provide: DivisionsOptions, useValue: options },
        {
          provide: CoordinatorOptions,
          useFactory: (modes: ModeWatch): CoordinatorOptions => {
            const metrics = new UpgradeMetrics(registry);
            return {
              databaseUrl: config.databaseUrl,
              holder,
              mayDecide: () => modes.current.mode === 'normal',
              onPass: (pass) => metrics.onPass(pass),
              onTerm: (leading) => metrics.onTerm(leading),
            };
          },
          inject: [ModeWatch],
        },
        {
          provide: NotificationOptions,
          useFactory: (modes: ModeWatch): NotificationOptions => ({
            endpoints: webhooks,
            expiringMs: config.webhookExpiringHours * HOUR_MS,
            databaseUrl: config.databaseUrl,
            holder,
            mayWork: () => modes.current.mode !== 'safe-mode',
            onTerm: (leading) => notificationMetrics.onTerm(leading),
          }),
          inject: [ModeWatch],
        },
        {
          provide: WebAuthnOptions,
          useValue: {
            rpId: config.webauthnRpId ?? null,
            origins: config.webauthnOrigins ?? [],
          } satisfies WebAuthnOptions,
        },
        {
          provide: ChallengeStore,
          useFactory: (dataSource: DataSource) =>
            new ChallengeStore(new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs)),
          inject: [getDataSourceToken()],
        },
        {
          provide: WebhookOutbox,
          useFactory: (dataSource: DataSource) =>
            new WebhookOutbox(new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs)),
          inject: [getDataSourceToken()],
        },
        {
          provide: WebhookDelivery,
          useFactory: (outbox: WebhookOutbox) =>
            new WebhookDelivery(outbox, {
              endpoints: webhooks,
              timeoutMs: config.webhookTimeoutMs,
              schedule: { firstMs: config.webhookRetryMs, attempts: config.webhookAttempts },
              observer: notificationMetrics,
            }),
          inject: [WebhookOutbox],
        },
      ],
      exports: [
        ManifestSigner,
        DivisionsOptions,
        KeyPossession,
        CheckpointSigner,
        SignerSource,
        GovernanceOptions,
        CoordinatorOptions,
        NotificationOptions,
        WebAuthnOptions,
        ChallengeStore,
        WebhookOutbox,
        WebhookDelivery,
      ],
    };
  }
}

/** The kernel's service API: modules and what they run on. */
@Module({})
export class KernelModule implements OnModuleInit {
  constructor(
    @Inject(RegisteredKeyEventSigner) private readonly signer: RegisteredKeyEventSigner,
    @Inject(SigningKeys) private readonly keys: SigningKeys,
  ) {}

  static register(options: KernelModuleOptions): DynamicModule {
    const foundation = FoundationModule.register(options);
    const keyRegistry = KeyRegistryModule.register({ imports: [] });
    const governancePorts = GovernancePortsModule.register(keyRegistry, options);
    return {
      module: KernelModule,
      imports: [
        foundation,
        keyRegistry,
        ModesModule.register({ imports: [] }),
        AuditModule.register({ imports: [] }),
        SigningModule.register({ imports: [SigningPortsModule.register(keyRegistry)] }),
        GovernanceModule.register({ imports: [governancePorts] }),
        DivisionsModule.register({ imports: [governancePorts] }),
      ],
      providers: [
        {
          provide: KeyMetrics,
          useFactory: (watch: KeyAgeWatch) => new KeyMetrics(options.registry, watch),
          inject: [KeyAgeWatch],
        },
      ],
    };
  }

  onModuleInit(): void {
    this.signer.keys = this.keys;
  }
}
