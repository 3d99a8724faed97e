import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { AuditIndex } from '#platform/audit-stream';
import { agentView } from '../../agent.view';
import { DivisionReader } from '../../division.reader';
import { agentStream } from '../../domain/agent';
import { divisionAsked } from '../../own-division';
import { mapFew } from '../map-few';
import { type AgentPage, ListAgents } from './agents.query';

/** Which there are says the index, what holds of each the chain. */
@QueryHandler(ListAgents)
export class ListAgentsHandler implements IQueryHandler<ListAgents, AgentPage> {
  constructor(
    private readonly index: AuditIndex,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ divisionId, page, scope }: ListAgents): Promise<AgentPage> {
    const { events, nextCursor } = await this.index.query({
      type: 'agent.spawned',
      order: 'newest',
      ...page,
      ...divisionAsked(scope, divisionId),
    });
    const ids = events.map(({ event }) => event.stream.slice(agentStream('').length));
    const agents = await mapFew(ids, async (id) => agentView((await this.reader.existingAgent(id)).state));
    return { agents, nextCursor };
  }
}
