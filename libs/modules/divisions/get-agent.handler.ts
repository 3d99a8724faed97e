import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Agent, type AgentNow } from '#openapi/kernel';
import { EventStore } from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { agentView } from './agent.view';
import { DivisionReader } from './division.reader';
import { holdings } from './domain/account';
import { agentStream } from './domain/agent';
import { fromUnits } from './domain/amounts';
import { evalStream, evalView } from './domain/evaluation';

export class GetAgent extends Query<Agent> {
  constructor(
    readonly agentId: string,
    readonly scope: Scope,
  ) {
    super();
  }
}

/** An agent with its latest evaluations and its holdings. */
export class GetAgentNow extends Query<AgentNow> {
  constructor(
    readonly agentId: string,
    readonly scope: Scope,
  ) {
    super();
  }
}

/** Number of evaluations shown with an agent's state; the rest are in the list. */
const RECENT_EVALS = 20;

@QueryHandler(GetAgent)
export class GetAgentHandler implements IQueryHandler<GetAgent, Agent> {
  constructor(private readonly reader: DivisionReader) {}

  async execute({ agentId, scope }: GetAgent): Promise<Agent> {
    const { state } = await this.reader.existingAgent(agentId);
    assertOwn(scope, state.division, 'This agent');
    return agentView(state);
  }
}

@QueryHandler(GetAgentNow)
export class GetAgentNowHandler implements IQueryHandler<GetAgentNow, AgentNow> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ agentId, scope }: GetAgentNow): Promise<AgentNow> {
    const { state: agent } = await this.reader.existingAgent(agentId);
    assertOwn(scope, agent.division, 'This agent');
    const [account, recent] = await Promise.all([
      this.reader.account(agent.division),
      this.store.query({ stream: evalStream(agentId), order: 'newest', limit: RECENT_EVALS }),
    ]);
    const evals = recent.events.map(({ event }) => evalView(event));
    const view = agentView(agent);
    const { id, divisionId, state, since, reason, allowed, version } = view;
    return {
      id,
      divisionId,
      state,
      since,
      reason,
      allowed,
      version,
      score: evals.find(({ score }) => score !== null)?.score ?? null,
      agent: view,
      evals,
      allocations: [...holdings(account.state, agentStream(agentId))].map(([pool, units]) => ({
        pool,
        held: fromUnits(units),
      })),
    };
  }
}
