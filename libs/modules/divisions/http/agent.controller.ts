import { Body, Controller, Get, Headers, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
  Scope,
  answered,
  askedBy,
  MIN_POSITION,
  pageOf,
  type PageParameters,
} from '#platform/edge';
import { PositionReached } from '#platform/audit-stream';
import { newEventId } from '#platform/event-store';
import { ChangeAgentState } from '../change-agent-state.handler';
import { SpawnAgent } from '../spawn-agent.handler';
import { type AgentLifecycleState, type AgentProfile } from '../domain/agent';
import { type Agent, type AgentNow, GetAgent, GetAgentNow } from '../get-agent.handler';
import { type AgentPage, ListAgents } from '../list-agents.handler';
import { type TemplateSource } from '../signed-templates';

type SpawnRequest = Partial<AgentProfile> & { id?: string; divisionId: string; template: TemplateSource };

@Controller('kernel/agent')
export class AgentController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('agent.write')
  async spawn(
    @Body() { id, divisionId, template, ...profile }: SpawnRequest,
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const { role = null, skills = [], codeRef = null, owner = null, metadata = {} } = profile;
    const command = new SpawnAgent(
      id ?? newEventId(),
      divisionId,
      template,
      { role, skills, codeRef, owner, metadata },
      scope,
      askedBy(caller, context),
    );
    return answered(context, await this.commands.execute(command));
  }

  @Get()
  @Policy('agent.read')
  async list(
    @Query() { divisionId, ...page }: PageParameters & { divisionId?: string },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<AgentPage> {
    await this.position.indexed(minPosition);
    return this.queries.execute(new ListAgents(divisionId ?? null, pageOf(page), scope));
  }

  @Get(':id')
  @Policy('agent.read')
  async agent(
    @Param('id') id: string,
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<Agent> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetAgent(id, scope));
  }

  @Get(':id/state')
  @Policy('agent.read')
  async state(
    @Param('id') id: string,
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<AgentNow> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetAgentNow(id, scope));
  }

  @Post(':id/state')
  @Policy('agent.write')
  async changeState(
    @Param('id') id: string,
    @Body() { state, reason }: { state: AgentLifecycleState; reason?: string },
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const command = new ChangeAgentState(id, state, reason ?? null, scope, askedBy(caller, context));
    return answered(context, await this.commands.execute(command));
  }
}
