import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type AgentPage } from '#openapi/kernel';
import { AuditIndex } from '#platform/audit-stream';
import { mapFew } from '#platform/event-store';
import { divisionAsked, type Scope } from '#platform/edge';
import { agentView } from './agent.view';
import { DivisionReader } from './division.reader';
import { agentStream } from './domain/agent';

/** One page of agents, of one division or of all, the newest first, each as it is now. */
export class ListAgents extends Query<AgentPage> {
  constructor(
    readonly divisionId: string | null,
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}

/** The index says which exist; the chain gives the state of each. */
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
