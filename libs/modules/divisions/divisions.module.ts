import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AllocateHandler } from './allocate.handler';
import { ChangeAgentStateHandler } from './change-agent-state.handler';
import { RegisterDivisionHandler } from './register-division.handler';
import { SpawnAgentHandler } from './spawn-agent.handler';
import { SubmitEvalHandler } from './submit-eval.handler';
import { DivisionsOptions } from './divisions.options';
import { DivisionReader } from './division.reader';
import { AgentController } from './http/agent.controller';
import { AllocationController } from './http/allocation.controller';
import { DivisionController } from './http/division.controller';
import { EvalController } from './http/eval.controller';
import { GetAgentHandler, GetAgentNowHandler } from './get-agent.handler';
import { ListAgentsHandler } from './list-agents.handler';
import { ListAllocationsHandler } from './list-allocations.handler';
import { GetDivisionHandler } from './get-division.handler';
import { ListDivisionsHandler } from './list-divisions.handler';
import { ListEvalsHandler } from './list-evals.handler';
import { SignedTemplates } from './signed-templates';

/**
 * Divisions, their agents and their spending. Needs EventStore, AuditIndex, PositionReached, ManifestSigner and
 * SignerSource from global modules.
 */
@Module({})
export class DivisionsModule {
  static register(options: DivisionsOptions): DynamicModule {
    return {
      module: DivisionsModule,
      imports: [CqrsModule],
      controllers: [DivisionController, AgentController, EvalController, AllocationController],
      providers: [
        { provide: DivisionsOptions, useValue: options },
        DivisionReader,
        SignedTemplates,
        RegisterDivisionHandler,
        SpawnAgentHandler,
        ChangeAgentStateHandler,
        SubmitEvalHandler,
        AllocateHandler,
        GetDivisionHandler,
        ListDivisionsHandler,
        GetAgentHandler,
        GetAgentNowHandler,
        ListAgentsHandler,
        ListEvalsHandler,
        ListAllocationsHandler,
      ],
    };
  }
}
