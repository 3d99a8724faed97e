import {
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditModule, LegalHoldList } from '#libs/audit';
import { AuditIndex } from '#libs/audit-index';
import { DEFAULT_LIMITS, EventStore, eventStoreDataSourceOptions } from '#libs/event-store';
import {
  BackendKeys,
  KeyRegistryModule,
  KeyRegistryOptions,
  RegisteredSigners,
  RegistrationStores,
  SigningKeys,
} from '#libs/key-registry';
import { type Registry } from '#libs/observability';
import { SigningProxyClient } from '#libs/signer';
import { ManifestSigner, SignerSource, SigningModule, SigningOptions } from '#libs/signing';
import { AppendMetrics } from './append-metrics';
import { type KernelConfig } from './kernel.config';
import {
  FixedKeyEventSigner,
  ProxyKeys,
  ProxyManifestSigner,
  RegisteredKeyEventSigner,
} from './proxy-signers';
import { StoredLegalHolds } from './stored-legal-holds';

export interface KernelModuleOptions {
  config: KernelConfig;
  proxy: SigningProxyClient;
  registry: Registry;
}

/** What every module builds on: the store, the proxy's client, and the bindings of the modules' ports to them. */
@Global()
@Module({})
class FoundationModule implements OnApplicationShutdown {
  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(SigningProxyClient) private readonly proxy: SigningProxyClient,
  ) {}

  static register({ config, proxy, registry }: KernelModuleOptions): DynamicModule {
    const { origin, shards } = config;
    const limits = {
      ...DEFAULT_LIMITS,
      maxQueuedRequests: config.queueLimit,
      signTimeoutMs: config.kmsTimeoutMs,
    };
    const options: KeyRegistryOptions & SigningOptions = { origin, now: () => new Date() };
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
          useFactory: (dataSource: DataSource, signer: RegisteredKeyEventSigner, observer: AppendMetrics) =>
            new EventStore({ dataSource, origin, shards, signer, limits, observer }),
          inject: [getDataSourceToken(), RegisteredKeyEventSigner, AppendMetrics],
        },
        {
          provide: AuditIndex,
          useFactory: (dataSource: DataSource) => new AuditIndex({ dataSource, shards }),
          inject: [getDataSourceToken()],
        },
        {
          provide: RegistrationStores,
          useFactory: (dataSource: DataSource, observer: AppendMetrics): RegistrationStores => ({
            signedBy: (key) =>
              new EventStore({
                dataSource,
                origin,
                shards,
                signer: new FixedKeyEventSigner(key, proxy, observer),
                limits,
                observer,
              }),
          }),
          inject: [getDataSourceToken(), AppendMetrics],
        },
        {
          provide: LegalHoldList,
          useFactory: (dataSource: DataSource) => new StoredLegalHolds(dataSource),
          inject: [getDataSourceToken()],
        },
        { provide: BackendKeys, useFactory: () => new ProxyKeys(proxy) },
        { provide: KeyRegistryOptions, useValue: options },
        { provide: SigningOptions, useValue: options },
      ],
      exports: [
        EventStore,
        AuditIndex,
        AppendMetrics,
        RegisteredKeyEventSigner,
        SigningProxyClient,
        RegistrationStores,
        LegalHoldList,
        BackendKeys,
        KeyRegistryOptions,
        SigningOptions,
      ],
    };
  }

  async onApplicationShutdown(): Promise<void> {
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
          useFactory: (registered: RegisteredSigners): SignerSource => ({
            signers: () => registered.signers(),
          }),
          inject: [RegisteredSigners],
        },
      ],
      exports: [ManifestSigner, SignerSource],
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
    return {
      module: KernelModule,
      imports: [
        foundation,
        keyRegistry,
        AuditModule.register({ imports: [] }),
        SigningModule.register({ imports: [SigningPortsModule.register(keyRegistry)] }),
      ],
    };
  }

  onModuleInit(): void {
    this.signer.keys = this.keys;
  }
}
