import { Controller, type DynamicModule, Inject, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ApplyAuditEvents,
  type AuditEventsBatch,
  type AuditShard,
  IndexWriter,
  StoredAuditPosition,
  type StreamPosition,
} from '#platform/audit-stream';

@Controller()
class IndexerController {
  constructor(@Inject(IndexWriter) private readonly index: IndexWriter) {}

  @StoredAuditPosition()
  position(@Payload() { shard }: AuditShard): Promise<StreamPosition> {
    return this.index.position(shard);
  }

  @ApplyAuditEvents()
  apply(@Payload() { shard, events }: AuditEventsBatch): Promise<void> {
    return this.index.apply(shard, events);
  }
}

@Module({})
export class IndexerModule {
  static register(index: IndexWriter): DynamicModule {
    return {
      module: IndexerModule,
      controllers: [IndexerController],
      providers: [{ provide: IndexWriter, useValue: index }],
    };
  }
}
