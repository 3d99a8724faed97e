import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AppendMetrics } from './append/append-metrics';
import { type EventStoreConnection, eventStoreDataSourceOptions } from './schema/data-source';
import { EventStore } from './event-store';
import { ModeSource } from './event-store.ports';
import { EventSigner } from './event-store.types';
import { EventStores } from './event-stores';
import { DEFAULT_LIMITS, type EventStoreLimits } from './limits';
import { assertMigrated } from './schema/assert-migrated';
import { Database } from '#platform/postgres';

export interface EventStoreModuleOptions {
  readonly connection: EventStoreConnection;
  readonly origin: string;
  readonly shards: number;
  readonly limits: Partial<EventStoreLimits>;
}

/** The store and its connections, for every module. Needs Registry, EventSigner and the ports of event-store.ports.ts from a global module. */
@Global()
@Module({})
export class EventStoreModule implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(EventStore) private readonly store: EventStore,
  ) {}

  static register({ connection, ...options }: EventStoreModuleOptions): DynamicModule {
    return {
      module: EventStoreModule,
      imports: [TypeOrmModule.forRoot({ ...eventStoreDataSourceOptions(connection), retryAttempts: 0 })],
      providers: [
        AppendMetrics,
        {
          // One for each that asks: who reads much takes no connection that another one needs.
          provide: Database,
          scope: Scope.TRANSIENT,
          useFactory: (dataSource: DataSource) => new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs),
          inject: [DataSource],
        },
        {
          provide: EventStores,
          useFactory: (dataSource: DataSource, observer: AppendMetrics, modes: ModeSource) =>
            new EventStores({ ...options, dataSource, observer, mayAppend: () => modes.assertWritable() }),
          inject: [DataSource, AppendMetrics, ModeSource],
        },
        {
          provide: EventStore,
          useFactory: (stores: EventStores, signer: EventSigner) => stores.signedBy(signer),
          inject: [EventStores, EventSigner],
        },
      ],
      exports: [TypeOrmModule, Database, EventStores, EventStore],
    };
  }

  /** Refuses a database that lacks migrations or holds another chain, before anything is read from it. */
  async onModuleInit(): Promise<void> {
    await assertMigrated(this.dataSource, this.store);
  }

  /** Before TypeORM ends the connections. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}
