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
import { SubmitEval } from '../submit-eval.handler';
import { type EvalReport } from '../domain/evaluation';
import { type EvalPage, ListEvals } from '../list-evals.handler';

type EvalRequest = Partial<EvalReport> & { agentId: string; metricSet: EvalReport['metricSet'] };

@Controller('kernel/eval')
export class EvalController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('eval.write')
  async submit(
    @Body() { agentId, ...request }: EvalRequest,
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const { metricSet, score = null, source = null, window = null, timestamp = null, notes = null } = request;
    const report = { metricSet, score, source, window, timestamp, notes };
    const command = new SubmitEval(agentId, report, scope, askedBy(caller, context));
    return answered(context, await this.commands.execute(command));
  }

  @Get()
  @Policy('agent.read')
  async list(
    @Query() { agentId, divisionId, ...page }: PageParameters & { agentId?: string; divisionId?: string },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<EvalPage> {
    await this.position.indexed(minPosition);
    const filter = { agentId: agentId ?? null, divisionId: divisionId ?? null };
    return this.queries.execute(new ListEvals(filter, pageOf(page), scope));
  }
}
