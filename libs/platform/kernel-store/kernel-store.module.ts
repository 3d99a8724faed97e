import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { AuditIndex, ChainEventVerifier, PositionReached } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import {
  assertMigrated,
  type DataSource,
  DEFAULT_LIMITS,
  EventSigner,
  EventStore,
  type EventStoreConnection,
  eventStoreDataSourceOptions,
  type EventStoreLimits,
  EventStores,
  ModeSource,
  RowKey,
} from '#platform/event-store';
import { Database, watchPool } from '#platform/postgres';
import { type SignerEntry } from '#evidence';
import { type Logger, Registry } from '#platform/process';
import { AppendMetrics } from './append.metrics';
import { IntegrityAlarm } from './integrity-alarm';
import { PartitionWatch } from './partition-watch';

export interface KernelStoreOptions {
  readonly connection: EventStoreConnection;
  readonly origin: string;
  readonly shards: number;
  readonly limits: Partial<EventStoreLimits>;
  /** Shared by all kernel processes. */
  readonly rowKey: RowKey;
  /** The trust root; null: the keys with which the kernel was founded are trusted. */
  readonly roots: readonly SignerEntry[] | null;
  readonly logger: Logger;
  /** By how much this process's clock may be ahead of the database server's; beyond that nothing is written. */
  readonly maxClockJumpMs: number;
}

/** The store, its index and its connections, for every module. Needs Registry, EventSigner, ModeSource and BehindListener from a global module. */
@Global()
@Module({})
export class KernelStoreModule implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    @Inject(getDataSourceToken()) private readonly dataSource: DataSource,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Registry) private readonly registry: Registry,
  ) {}

  static register({ connection, roots, logger, ...options }: KernelStoreOptions): DynamicModule {
    const { origin, shards } = options;
    const dataSourceToken = getDataSourceToken();
    return {
      module: KernelStoreModule,
      imports: [TypeOrmModule.forRoot({ ...eventStoreDataSourceOptions(connection), retryAttempts: 0 })],
      providers: [
        AppendMetrics,
        { provide: RowKey, useValue: options.rowKey },
        {
          provide: IntegrityAlarm,
          useFactory: (registry: Registry) => new IntegrityAlarm(registry, logger),
          inject: [Registry],
        },
        {
          provide: PartitionWatch,
          useFactory: (registry: Registry) => new PartitionWatch(registry, logger),
          inject: [Registry],
        },
        {
          provide: ChainEventVerifier,
          useFactory: (dataSource: DataSource) =>
            new ChainEventVerifier({ dataSource, origin, roots, divisionOf }),
          inject: [dataSourceToken],
        },
        {
          // One for each user: a heavy reader takes no connection that another one needs.
          provide: Database,
          scope: Scope.TRANSIENT,
          useFactory: (dataSource: DataSource) => new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs),
          inject: [dataSourceToken],
        },
        {
          provide: EventStores,
          useFactory: (
            dataSource: DataSource,
            observer: AppendMetrics,
            modes: ModeSource,
            verifier: ChainEventVerifier,
          ) =>
            new EventStores({
              ...options,
              dataSource,
              observer,
              verifier,
              mayAppend: () => modes.assertWritable(),
            }),
          inject: [dataSourceToken, AppendMetrics, ModeSource, ChainEventVerifier],
        },
        {
          provide: EventStore,
          useFactory: (stores: EventStores, signer: EventSigner) => stores.signedBy(signer),
          inject: [EventStores, EventSigner],
        },
        {
          provide: AuditIndex,
          useFactory: (dataSource: DataSource, verifier: ChainEventVerifier, alarm: IntegrityAlarm) =>
            new AuditIndex({ dataSource, shards, verifier, onFault: (fault) => alarm.raise(fault) }),
          inject: [dataSourceToken, ChainEventVerifier, IntegrityAlarm],
        },
        {
          provide: PositionReached,
          useFactory: (store: EventStore, index: AuditIndex) => new PositionReached(store, index),
          inject: [EventStore, AuditIndex],
        },
      ],
      exports: [
        ChainEventVerifier,
        Database,
        EventStores,
        EventStore,
        AuditIndex,
        PositionReached,
        RowKey,
        IntegrityAlarm,
        PartitionWatch,
      ],
    };
  }

  /** Refuses a database that lacks migrations or holds another chain, before anything is read from it. */
  async onModuleInit(): Promise<void> {
    await assertMigrated(this.dataSource, this.store);
    watchPool('kernel', this.dataSource, this.registry);
  }

  /** Closes the store before TypeORM ends the connections. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}
