import { type components } from '#openapi/kernel';

type AgentState = components['schemas']['AgentState'];

export const DIVISION_COLOURS = { active: 'teal', paused: 'orange', retired: 'gray' };

export const AGENT_COLOURS: Readonly<Record<AgentState, string>> = {
  spawned: 'gray',
  running: 'teal',
  paused: 'orange',
  stopped: 'gray',
  failed: 'red',
  retired: 'gray',
};

/** What a state of an agent means for it. */
export function agentEffects(id: string, to: AgentState): string[] {
  const recorded = `The chain says that ${id} is ${to}, and who put it there; starting and stopping processes is the job of those who run them.`;
  if (to === 'retired')
    return [recorded, 'It gives back what it holds, in the same commit, and never returns.'];
  return [recorded];
}
