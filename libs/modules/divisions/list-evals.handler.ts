import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type EvalPage } from '#openapi/kernel';
import { AuditIndex } from '#platform/audit-stream';
import { assertOwn, divisionAsked, type Scope } from '#platform/edge';
import { DivisionReader } from './division.reader';
import { evalStream, evalView } from './domain/evaluation';

/** One page of evaluations, of an agent, of a division or of all, the newest first. */
export class ListEvals extends Query<EvalPage> {
  constructor(
    readonly filter: { agentId: string | null; divisionId: string | null },
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}

@QueryHandler(ListEvals)
export class ListEvalsHandler implements IQueryHandler<ListEvals, EvalPage> {
  constructor(
    private readonly index: AuditIndex,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ filter: { agentId, divisionId }, page, scope }: ListEvals): Promise<EvalPage> {
    if (agentId !== null) {
      assertOwn(scope, (await this.reader.existingAgent(agentId)).state.division, 'This agent');
    }
    const { events, nextCursor } = await this.index.query({
      type: 'eval.submitted',
      order: 'newest',
      ...page,
      ...divisionAsked(scope, divisionId),
      ...(agentId === null ? {} : { stream: evalStream(agentId) }),
    });
    return { evals: events.map(({ event }) => evalView(event)), nextCursor };
  }
}
