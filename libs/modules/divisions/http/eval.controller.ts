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
import { SubmitEval } from '../submit-eval.handler';
import { ListEvals } from '../list-evals.handler';

@Controller('kernel/eval')
export class EvalController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('eval.write')
  async submit(
    @Body() { agentId, ...request }: contract.SubmitEval,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { metricSet, score = null, source = null, window = null, timestamp = null, notes = null } = request;
    const report = { metricSet, score, source, window, timestamp, notes };
    const command = new SubmitEval(agentId, report, asking.scope, asking);
    return answered(await this.commands.execute(command));
  }

  @Get()
  @Policy('agent.read')
  @ReadsIndex()
  async list(
    @Query() { agentId, divisionId, ...page }: PageParameters & { agentId?: string; divisionId?: string },
    @Scope() scope: Scope,
  ): Promise<contract.EvalPage> {
    const filter = { agentId: agentId ?? null, divisionId: divisionId ?? null };
    return this.queries.execute(new ListEvals(filter, pageOf(page), scope));
  }
}
