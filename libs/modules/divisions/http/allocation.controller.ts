import { Body, Controller, Get, Headers, Inject, Post, Query } from '@nestjs/common';
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
import { Allocate } from '../allocate.handler';
import { DEFAULT_POOL } from '../domain/allocation.decider';
import { type AllocationPage, ListAllocations } from '../list-allocations.handler';

interface AllocateRequest {
  agentId?: string;
  divisionId?: string;
  pool?: string;
  delta: number;
  reason: string;
  requestedBy?: string;
  evalId?: string;
}

@Controller('kernel/allocate')
export class AllocationController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('allocation.write')
  async allocate(
    @Body() { agentId, divisionId, pool, delta, reason, requestedBy, evalId }: AllocateRequest,
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const command = new Allocate(
      { agentId: agentId ?? null, divisionId: divisionId ?? null },
      {
        pool: pool ?? DEFAULT_POOL,
        delta,
        reason,
        requestedBy: requestedBy ?? caller.id,
        evalId: evalId ?? null,
      },
      scope,
      askedBy(caller, context),
    );
    return answered(context, await this.commands.execute(command));
  }

  @Get()
  @Policy('division.read')
  async list(
    @Query() { divisionId, ...page }: PageParameters & { divisionId: string },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<AllocationPage> {
    await this.position.indexed(minPosition);
    return this.queries.execute(new ListAllocations(divisionId, pageOf(page), scope));
  }
}
