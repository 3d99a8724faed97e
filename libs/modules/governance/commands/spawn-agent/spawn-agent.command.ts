import { Command } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type CommandAnswer } from '#platform/event-store';
import { type AgentProfile } from '../../domain/agent';
import { type TemplateSource } from '../../signed-templates';
import { type Asking } from '../../upgrade.decisions';

/** Spawn an agent of a division from a template that this kernel has signed. */
export class SpawnAgent extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly divisionId: string,
    readonly template: TemplateSource,
    readonly profile: AgentProfile,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}
