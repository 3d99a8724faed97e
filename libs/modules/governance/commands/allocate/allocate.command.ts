import { Command } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type CommandAnswer } from '#platform/event-store';
import { type AllocationRequest } from '../../domain/allocation.decider';
import { type Asking } from '../../upgrade.decisions';

/** Grant an agent, or a division itself, something of the division's budget, or take it back. */
export class Allocate extends Command<CommandAnswer> {
  constructor(
    readonly holder: { agentId: string | null; divisionId: string | null },
    readonly request: Omit<AllocationRequest, 'agent'>,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}
