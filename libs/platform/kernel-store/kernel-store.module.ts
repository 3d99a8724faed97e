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
import { AuditIndex, PositionReached } from '#platform/audit-stream';
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
} from '#platform/event-store';
import { Database } from '#platform/postgres';
import { AppendMetrics } from './append.metrics';

export interface KernelStoreOptions {
  readonly connection: EventStoreConnection;
  readonly origin: string;
  readonly shards: number;
  readonly limits: Partial<EventStoreLimits>;
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
  ) {}

  static register({ connection, ...options }: KernelStoreOptions): DynamicModule {
    const { shards } = options;
    const dataSourceToken = getDataSourceToken();
    return {
      module: KernelStoreModule,
      imports: [TypeOrmModule.forRoot({ ...eventStoreDataSourceOptions(connection), retryAttempts: 0 })],
      providers: [
        AppendMetrics,
        {
          // One for each user: a heavy reader takes no connection that another one needs.
          provide: Database,
          scope: Scope.TRANSIENT,
          useFactory: (dataSource: DataSource) => new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs),
          inject: [dataSourceToken],
        },
        {
          provide: EventStores,
          useFactory: (dataSource: DataSource, observer: AppendMetrics, modes: ModeSource) =>
            new EventStores({ ...options, dataSource, observer, mayAppend: () => modes.assertWritable() }),
          inject: [dataSourceToken, AppendMetrics, ModeSource],
        },
        {
          provide: EventStore,
          useFactory: (stores: EventStores, signer: EventSigner) => stores.signedBy(signer),
          inject: [EventStores, EventSigner],
        },
        {
          provide: AuditIndex,
          useFactory: (dataSource: DataSource) => new AuditIndex({ dataSource, shards }),
          inject: [dataSourceToken],
        },
        {
          provide: PositionReached,
          useFactory: (store: EventStore, index: AuditIndex) => new PositionReached(store, index),
          inject: [EventStore, AuditIndex],
        },
      ],
      exports: [Database, EventStores, EventStore, AuditIndex, PositionReached],
    };
  }

  /** Refuses a database that lacks migrations or holds another chain, before anything is read from it. */
  async onModuleInit(): Promise<void> {
    await assertMigrated(this.dataSource, this.store);
  }

  /** Closes the store before TypeORM ends the connections. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}
