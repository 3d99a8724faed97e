import { type DynamicModule, Global, Module } from '@nestjs/common';
import { DataSource, EventStore } from '#platform/event-store';
import { AuditIndex } from './audit-index';
import { PositionReached } from './position-reached';

/** The index for every module that lists, and the wait for a position. Needs DataSource and EventStore from a global module. */
@Global()
@Module({})
export class AuditIndexModule {
  static register({ shards }: { shards: number }): DynamicModule {
    return {
      module: AuditIndexModule,
      providers: [
        {
          provide: AuditIndex,
          useFactory: (dataSource: DataSource) => new AuditIndex({ dataSource, shards }),
          inject: [DataSource],
        },
        {
          provide: PositionReached,
          useFactory: (store: EventStore, index: AuditIndex) => new PositionReached(store, index),
          inject: [EventStore, AuditIndex],
        },
      ],
      exports: [AuditIndex, PositionReached],
    };
  }
}
