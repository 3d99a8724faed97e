import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { PipelineLag } from '#platform/audit-stream';
import { IntegrityAlarm } from '#platform/kernel-store';
import { Database } from '#platform/postgres';
import { SignerSource } from '#platform/signer';
import { LastDrills } from './last-drills';
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
import { AuditRunRows } from './audit-run-rows';
import { AuditRunsController } from './http/audit-runs.controller';
import { GetAuditRunHandler } from './get-audit-run.handler';
import { ListAuditRunsHandler } from './list-audit-runs.handler';
import { RunJudge } from './run-judge';

export interface AuditModuleOptions {
  /** The kernel whose statements count. */
  readonly origin: string;
}

/** Records callers' events and answers questions about the chain. Needs Registry, EventStore, Database, AuditIndex, PositionReached, PublishedLog, SignerSource, PipelineDurability and the metrics' Registry from global modules. */
@Module({})
export class AuditModule {
  static register({ origin }: AuditModuleOptions): DynamicModule {
    return {
      module: AuditModule,
      imports: [CqrsModule],
      // Before the events, whose route takes any name.
      controllers: [
        LegalHoldController,
        AuditRunsController,
        AuditController,
        ReasonController,
        LogController,
      ],
      providers: [
        {
          provide: PipelineLag,
          useFactory: (database: Database) => new PipelineLag(database),
          inject: [Database],
        },
        {
          provide: RunJudge,
          useFactory: (signers: SignerSource, alarm: IntegrityAlarm) => new RunJudge(origin, signers, alarm),
          inject: [SignerSource, IntegrityAlarm],
        },
        LastDrills,
        LegalHoldList,
        AuditRunRows,
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
        ListAuditRunsHandler,
        GetAuditRunHandler,
        ListLegalHoldsHandler,
        ExportEventsHandler,
      ],
    };
  }
}
