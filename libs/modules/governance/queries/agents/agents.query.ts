import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type Agent } from '../agent/agent.query';

export interface AgentPage {
  agents: Agent[];
  nextCursor: string | null;
}

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
