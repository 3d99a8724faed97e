import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AppendEventsHandler } from './commands/append-events/append-events.handler';
import { AuditController } from './http/audit.controller';
import { PositionReached } from './position-reached';
import { GetEventHandler } from './queries/event/event.handler';
import { ListEventsHandler } from './queries/events/events.handler';
import { ExportEventsHandler } from './queries/export/export.handler';
import { GetHeadsHandler } from './queries/heads/heads.handler';

/** Records callers' events and answers questions about the chain. Needs EventStore from `imports`. */
@Module({})
export class AuditModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: AuditModule,
      imports: [CqrsModule, ...imports],
      controllers: [AuditController],
      providers: [
        PositionReached,
        AppendEventsHandler,
        GetEventHandler,
        ListEventsHandler,
        GetHeadsHandler,
        ExportEventsHandler,
      ],
    };
  }
}
