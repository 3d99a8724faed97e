import { Body, Controller, Get, Inject, Post, Query } from '@nestjs/common';
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
import { ReadsIndex } from '#platform/audit-stream';
import { Allocate } from '../allocate.handler';
import { DEFAULT_POOL } from '../domain/allocation.decider';
import { ListAllocations } from '../list-allocations.handler';

@Controller('kernel/allocate')
export class AllocationController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('allocation.write')
  async allocate(
    @Body() body: Extract<contract.Allocate, { delta: number }>,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { agentId = null, divisionId = null, pool = DEFAULT_POOL, evalId = null, ...request } = body;
    const { delta, reason, requestedBy = asking.actor.id } = request;
    const allocation = { pool, delta, reason, requestedBy, evalId };
    const command = new Allocate({ agentId, divisionId }, allocation, asking.scope, asking);
    return answered(await this.commands.execute(command));
  }

  @Get()
  @Policy('division.read')
  @ReadsIndex()
  async list(
    @Query() { divisionId, ...page }: PageParameters & { divisionId: string },
    @Scope() scope: Scope,
  ): Promise<contract.AllocationPage> {
    return this.queries.execute(new ListAllocations(divisionId, pageOf(page), scope));
  }
}
