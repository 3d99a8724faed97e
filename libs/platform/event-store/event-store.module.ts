import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnModuleInit,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { type Registry } from '#platform/process';
import { AppendMetrics } from './append-metrics';
import { type EventStoreConnection, eventStoreDataSourceOptions } from './data-source';
import { EventStore } from './event-store';
import { BehindListener, ModeSource } from './event-store.ports';
import { EventSigner } from './event-store.types';
import { EventStores } from './event-stores';
import { type EventStoreLimits } from './limits';
import { assertMigrated } from './migrate';

export interface EventStoreModuleOptions {
  readonly connection: EventStoreConnection;
  readonly origin: string;
  readonly shards: number;
  readonly limits: Partial<EventStoreLimits>;
  readonly registry: Registry;
}

/** The store and its connections, for every module. Needs the ports of event-store.ports.ts from a global module. */
@Global()
@Module({})
export class EventStoreModule implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(EventStore) private readonly store: EventStore,
  ) {}

  static register({ connection, registry, ...options }: EventStoreModuleOptions): DynamicModule {
    return {
      module: EventStoreModule,
      imports: [TypeOrmModule.forRoot({ ...eventStoreDataSourceOptions(connection), retryAttempts: 0 })],
      providers: [
        {
          provide: EventStores,
          useFactory: (dataSource: DataSource, modes: ModeSource, behind: BehindListener) => {
            const observer = new AppendMetrics(registry, (position) => behind.notice(position));
            return new EventStores({
              ...options,
              dataSource,
              observer,
              mayAppend: () => modes.assertWritable(),
            });
          },
          inject: [DataSource, ModeSource, BehindListener],
        },
        {
          provide: EventStore,
          useFactory: (stores: EventStores, signer: EventSigner) => stores.signedBy(signer),
          inject: [EventStores, EventSigner],
        },
      ],
      exports: [TypeOrmModule, EventStores, EventStore],
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
