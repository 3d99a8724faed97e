import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type agentView } from '../../agent.view';
import { type EvalView } from '../../domain/evaluation';

export type Agent = ReturnType<typeof agentView>;

export interface AgentNow {
  id: string;
  divisionId: string;
  state: string;
  since: string;
  reason: string | null;
  /** Where it can go from here. */
  allowed: readonly string[];
  version: number;
  /** Of the last evaluation that has one. */
  score: number | null;
  agent: Agent;
  /** The newest evaluations, newest first. */
  evals: EvalView[];
  allocations: { pool: string; held: number }[];
}

export class GetAgent extends Query<Agent> {
  constructor(
    readonly agentId: string,
    readonly scope: Scope,
  ) {
    super();
  }
}

/** An agent with how it did lately and what it holds. */
export class GetAgentNow extends Query<AgentNow> {
  constructor(
    readonly agentId: string,
    readonly scope: Scope,
  ) {
    super();
  }
}
