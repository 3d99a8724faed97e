import { type Agent } from '#openapi/kernel';
import { type AgentState, TRANSITIONS } from './domain/agent';

/** An agent as callers see it. */
export function agentView(agent: AgentState): Agent {
  const { id, division, divisionVersion, state, since, reason, version, profile, template } = agent;
  return {
    id,
    divisionId: division,
    divisionVersion,
    state,
    since,
    reason,
    allowed: [...TRANSITIONS[state]],
    version,
    ...profile,
    template,
    spawnedAt: agent.spawnedAt,
    spawnedBy: agent.spawnedBy,
    audit_id: agent.lastEvent,
  };
}
