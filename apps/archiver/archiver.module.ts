import { Controller, type DynamicModule, Inject, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  ApplyAuditEvents,
  type AuditEventsBatch,
  type AuditShard,
  StoredAuditPosition,
  type StreamPosition,
} from '#platform/audit-stream';
import { ArchiveEvents } from './events/archive-events';

@Controller()
class ArchiverController {
  constructor(@Inject(ArchiveEvents) private readonly events: ArchiveEvents) {}

  @StoredAuditPosition()
  position(@Payload() { shard }: AuditShard): Promise<StreamPosition> {
    return this.events.position(shard);
  }

  @ApplyAuditEvents()
  apply(@Payload() { shard, events }: AuditEventsBatch): Promise<void> {
    return this.events.apply(shard, events);
  }
}

@Module({})
export class ArchiverModule {
  static register(events: ArchiveEvents): DynamicModule {
    return {
      module: ArchiverModule,
      controllers: [ArchiverController],
      providers: [{ provide: ArchiveEvents, useValue: events }],
    };
  }
}
