import { type AuditEvent, type JsonObject } from '#evidence';
import { type DivisionState } from './division';
import { DivisionError } from './division.error';
import { type Template } from './template';

export const AGENT_STATES = ['spawned', 'running', 'paused', 'stopped', 'failed', 'retired'] as const;
export type AgentLifecycleState = (typeof AGENT_STATES)[number];

/** Next states of an agent, by state. Retired is the end: its holdings are released, and it never comes back. */
export const TRANSITIONS: Readonly<Record<AgentLifecycleState, readonly AgentLifecycleState[]>> =
  Object.freeze({
    spawned: ['running', 'failed', 'retired'],
    running: ['paused', 'stopped', 'failed'],
    paused: ['running', 'stopped', 'failed'],
    stopped: ['running', 'retired'],
    failed: ['running', 'stopped', 'retired'],
    retired: [],
  });

/** Description of an agent by the caller that spawned it; the kernel keeps it and reads none of it. */
export interface AgentProfile {
  role: string | null;
  skills: string[];
  codeRef: string | null;
  owner: string | null;
  metadata: JsonObject;
}

export interface AgentState {
  id: string;
  division: string;
  /** Version of the division's manifest when it was spawned. */
  divisionVersion: number;
  template: Template;
  profile: AgentProfile;
  state: AgentLifecycleState;
  /** Reason for this state, if one was given. */
  reason: string | null;
  spawnedAt: string;
  spawnedBy: string;
  /** Time at which it entered this state. */
  since: string;
  /** The event that spawned it, and the last one of its life. */
  spawnedEvent: string;
  lastEvent: string;
  /** Number of events in its life. */
  version: number;
}

export interface SpawnedPayload {
  agentId: string;
  division: string;
  divisionVersion: number;
  template: Template;
  profile: AgentProfile;
  because: Because[];
}

export interface ChangedPayload {
  agentId: string;
  division: string;
  from: AgentLifecycleState;
  to: AgentLifecycleState;
  reason: string | null;
}

/** An event that this one rests on, and the kind of relation. */
export interface Because {
  relation: string;
  eventId: string;
}

export interface ChangedEvent {
  type: ChangeType;
  payload: ChangedPayload;
}

type ChangeType =
  'agent.started' | 'agent.resumed' | 'agent.paused' | 'agent.stopped' | 'agent.failed' | 'agent.retired';

export function agentStream(agentId: string): string {
  return `agent/${agentId}`;
}

/** @throws DivisionError `agent_exists`, `division_not_active` */
export function decideSpawn(
  existing: AgentState | null,
  agentId: string,
  division: DivisionState,
  template: Template,
  profile: AgentProfile,
): SpawnedPayload {
  if (existing !== null) {
    throw new DivisionError('agent_exists', `There is an agent ${agentId} already; choose another id.`);
  }
  assertActive(division, 'spawns no agents');
  return {
    agentId,
    division: division.id,
    divisionVersion: division.version,
    template,
    profile,
    because: [
      { relation: 'template', eventId: template.signedBy },
      { relation: 'division', eventId: division.eventId },
    ],
  };
}

/**
 * Decides an agent's move to another state; null when it is already there.
 * @throws DivisionError `transition_not_allowed`, `agent_retired`, `division_not_active`
 */
export function decideAgentState(
  agent: AgentState,
  to: AgentLifecycleState,
  reason: string | null,
  division: DivisionState,
): ChangedEvent | null {
  const { id: agentId, state: from } = agent;
  if (from === to) return null;
  if (from === 'retired')
    throw new DivisionError('agent_retired', `The agent ${agentId} is retired, and stays so.`);
  const allowed = TRANSITIONS[from];
  if (!allowed.includes(to)) {
    throw new DivisionError(
      'transition_not_allowed',
      `The agent ${agentId} is ${from}; from there it can become ${allowed.join(' or ')}, not ${to}.`,
      { state: from, allowed },
    );
  }
  // A running agent may go on and be stopped whatever happens to the division; none starts in one that is not active.
  if (to === 'running') assertActive(division, 'runs no agents');
  return { type: changeType(from, to), payload: { agentId, division: agent.division, from, to, reason } };
}

/** @throws DivisionError `division_not_active` */
export function assertActive({ id, status }: DivisionState, consequence: string): void {
  if (status === 'active') return;
  throw new DivisionError('division_not_active', `The division ${id} is ${status}, and ${consequence}.`, {
    divisionStatus: status,
  });
}

function changeType(from: AgentLifecycleState, to: AgentLifecycleState): ChangeType {
  switch (to) {
    case 'running':
      return from === 'paused' ? 'agent.resumed' : 'agent.started';
    case 'paused':
      return 'agent.paused';
    case 'stopped':
      return 'agent.stopped';
    case 'failed':
      return 'agent.failed';
    case 'retired':
      return 'agent.retired';
    case 'spawned':
      // No list of TRANSITIONS has it.
      throw new TypeError('an agent is spawned once');
  }
}

/** The agent after an event of its stream. */
export function evolveAgent(state: AgentState | null, event: AuditEvent): AgentState | null {
  const { type, payload, ts, actor, id: eventId, streamVersion: version } = event;
  // Only the kernel writes these streams, and it checks what it writes.
  if (type === 'agent.spawned') {
    const { agentId, division, divisionVersion, template, profile } = payload as unknown as SpawnedPayload;
    return {
      id: agentId,
      division,
      divisionVersion,
      template,
      profile,
      state: 'spawned',
      reason: null,
      spawnedAt: ts,
      spawnedBy: actor.id,
      since: ts,
      spawnedEvent: eventId,
      lastEvent: eventId,
      version,
    };
  }
  if (state === null || !type.startsWith('agent.')) return state;
  const { to, reason } = payload as unknown as ChangedPayload;
  return { ...state, state: to, reason, since: ts, lastEvent: eventId, version };
}
