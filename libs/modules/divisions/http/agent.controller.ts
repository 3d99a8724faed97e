import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import {
  answered,
  Asking,
  type BytesAnswer,
  pageOf,
  type PageParameters,
  Policy,
  Scope,
} from '#platform/edge';
import { ReadsIndex, ReadsStore } from '#platform/audit-stream';
import { newEventId } from '#platform/event-store';
import { ChangeAgentState } from '../change-agent-state.handler';
import { SpawnAgent } from '../spawn-agent.handler';
import { type AgentProfile } from '../domain/agent';
import { GetAgent, GetAgentNow } from '../get-agent.handler';
import { ListAgents } from '../list-agents.handler';
import { type TemplateSource } from '../signed-templates';

type SpawnRequest = Partial<AgentProfile> & { id?: string; divisionId: string; template: TemplateSource };

@Controller('kernel/agent')
export class AgentController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('agent.write')
  async spawn(
    @Body() { id, divisionId, template, ...profile }: SpawnRequest,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { role = null, skills = [], codeRef = null, owner = null, metadata = {} } = profile;
    const kept = { role, skills, codeRef, owner, metadata };
    const command = new SpawnAgent(id ?? newEventId(), divisionId, template, kept, asking.scope, asking);
    return answered(await this.commands.execute(command));
  }

  @Get()
  @Policy('agent.read')
  @ReadsIndex()
  async list(
    @Query() { divisionId, ...page }: PageParameters & { divisionId?: string },
    @Scope() scope: Scope,
  ): Promise<contract.AgentPage> {
    return this.queries.execute(new ListAgents(divisionId ?? null, pageOf(page), scope));
  }

  @Get(':id')
  @Policy('agent.read')
  @ReadsStore()
  async agent(@Param('id') id: string, @Scope() scope: Scope): Promise<contract.Agent> {
    return this.queries.execute(new GetAgent(id, scope));
  }

  @Get(':id/state')
  @Policy('agent.read')
  @ReadsStore()
  async state(@Param('id') id: string, @Scope() scope: Scope): Promise<contract.AgentNow> {
    return this.queries.execute(new GetAgentNow(id, scope));
  }

  @Post(':id/state')
  @Policy('agent.write')
  async changeState(
    @Param('id') id: string,
    @Body() { state, reason }: contract.ChangeAgentState,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const command = new ChangeAgentState(id, state, reason ?? null, asking.scope, asking);
    return answered(await this.commands.execute(command));
  }
}
