import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { AuditIndex } from '#platform/audit-stream';
import { DivisionReader } from '../../division.reader';
import { evalStream, evalView } from '../../domain/evaluation';
import { assertOwn, divisionAsked } from '../../own-division';
import { type EvalPage, ListEvals } from './evals.query';

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
