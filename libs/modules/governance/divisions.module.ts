import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AllocateHandler } from './commands/allocate/allocate.handler';
import { ChangeAgentStateHandler } from './commands/change-agent-state/change-agent-state.handler';
import { RegisterDivisionHandler } from './commands/register-division/register-division.handler';
import { SpawnAgentHandler } from './commands/spawn-agent/spawn-agent.handler';
import { SubmitEvalHandler } from './commands/submit-eval/submit-eval.handler';
import { DivisionReader } from './division.reader';
import { AgentController } from './http/agent.controller';
import { AllocationController } from './http/allocation.controller';
import { DivisionController } from './http/division.controller';
import { EvalController } from './http/eval.controller';
import { ReasonController } from './http/reason.controller';
import { GetAgentHandler, GetAgentNowHandler } from './queries/agent/agent.handler';
import { ListAgentsHandler } from './queries/agents/agents.handler';
import { ListAllocationsHandler } from './queries/allocations/allocations.handler';
import { GetDivisionHandler } from './queries/division/division.handler';
import { ListDivisionsHandler } from './queries/divisions/divisions.handler';
import { ListEvalsHandler } from './queries/evals/evals.handler';
import { GetReasonHandler } from './queries/reason/reason.handler';
import { SignedTemplates } from './signed-templates';

/**
 * Divisions, their agents, what they spend, and why. Needs EventStore, AuditIndex, PositionReached and the ports of
 * governance.ports.ts from `imports`.
 */
@Module({})
export class DivisionsModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: DivisionsModule,
      imports: [CqrsModule, ...imports],
      controllers: [
        DivisionController,
        AgentController,
        EvalController,
        AllocationController,
        ReasonController,
      ],
      providers: [
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
        GetReasonHandler,
      ],
    };
  }
}
