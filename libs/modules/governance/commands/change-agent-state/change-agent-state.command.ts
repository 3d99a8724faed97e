import { Command } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type CommandAnswer } from '#platform/event-store';
import { type AgentLifecycleState } from '../../domain/agent';
import { type Asking } from '../../upgrade.decisions';

/** Lead an agent to another state of its life; one that is retired gives back what it holds in the same commit. */
export class ChangeAgentState extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly to: AgentLifecycleState,
    readonly reason: string | null,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}
