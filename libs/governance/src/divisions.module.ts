import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RegisterDivisionHandler } from './commands/register-division/register-division.handler';
import { DivisionReader } from './division.reader';
import { DivisionController } from './http/division.controller';
import { GetDivisionHandler } from './queries/division/division.handler';
import { ListDivisionsHandler } from './queries/divisions/divisions.handler';

/** Divisions. Needs EventStore, AuditIndex, PositionReached and the ports of governance.ports.ts from `imports`. */
@Module({})
export class DivisionsModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: DivisionsModule,
      imports: [CqrsModule, ...imports],
      controllers: [DivisionController],
      providers: [DivisionReader, RegisterDivisionHandler, GetDivisionHandler, ListDivisionsHandler],
    };
  }
}
