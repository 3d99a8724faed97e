import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { PipelineLag } from '#platform/audit-stream';
import { Database } from '#platform/postgres';
import { LegalHoldList } from './legal-hold-list';
import { AppendEventsHandler } from './append-events.handler';
import { SetLegalHoldHandler } from './set-legal-hold.handler';
import { AuditController } from './http/audit.controller';
import { LegalHoldController } from './http/legal-hold.controller';
import { GetEventHandler } from './get-event.handler';
import { ReasonController } from './http/reason.controller';
import { GetReasonHandler } from './get-reason.handler';
import { StreamEventsHandler } from './stream-events.handler';
import { StreamReaders } from './stream-readers';
import { ListEventsHandler } from './list-events.handler';
import { ExportEventsHandler } from './export-events.handler';
import { GetEntryBundleHandler } from './get-entry-bundle.handler';
import { GetReceiptHandler } from './get-receipt.handler';
import { LogController } from './http/log.controller';
import { GetHeadsHandler } from './get-heads.handler';
import { GetPipelineHandler } from './get-pipeline.handler';
import { ListLegalHoldsHandler } from './list-legal-holds.handler';

/** Records callers' events and answers questions about the chain. Needs Registry, EventStore, Database, AuditIndex, PositionReached, PublishedLog and PipelineDurability from global modules. */
@Module({
  imports: [CqrsModule],
  // Before the events, whose route takes any name.
  controllers: [LegalHoldController, AuditController, ReasonController, LogController],
  providers: [
    {
      provide: PipelineLag,
      useFactory: (database: Database) => new PipelineLag(database),
      inject: [Database],
    },
    LegalHoldList,
    AppendEventsHandler,
    SetLegalHoldHandler,
    GetEventHandler,
    GetReasonHandler,
    GetReceiptHandler,
    GetEntryBundleHandler,
    ListEventsHandler,
    StreamEventsHandler,
    StreamReaders,
    GetHeadsHandler,
    GetPipelineHandler,
    ListLegalHoldsHandler,
    ExportEventsHandler,
  ],
})
export class AuditModule {}
