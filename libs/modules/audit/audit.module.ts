import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AppendEventsHandler } from './commands/append-events/append-events.handler';
import { SetLegalHoldHandler } from './commands/set-legal-hold/set-legal-hold.handler';
import { AuditController } from './http/audit.controller';
import { LegalHoldController } from './http/legal-hold.controller';
import { GetEventHandler } from './queries/event/event.handler';
import { ListEventsHandler } from './queries/events/events.handler';
import { ExportEventsHandler } from './queries/export/export.handler';
import { GetHeadsHandler } from './queries/heads/heads.handler';
import { ListLegalHoldsHandler } from './queries/legal-holds/legal-holds.handler';

/** Records callers' events and answers questions about the chain. Needs EventStore, AuditIndex, PositionReached and LegalHoldList from `imports`. */
@Module({})
export class AuditModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: AuditModule,
      imports: [CqrsModule, ...imports],
      // Before the events, whose route takes any name.
      controllers: [LegalHoldController, AuditController],
      providers: [
        AppendEventsHandler,
        SetLegalHoldHandler,
        GetEventHandler,
        ListEventsHandler,
        GetHeadsHandler,
        ListLegalHoldsHandler,
        ExportEventsHandler,
      ],
    };
  }
}
