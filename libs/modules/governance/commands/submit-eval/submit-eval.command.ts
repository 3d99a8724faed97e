import { Command } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type CommandAnswer } from '#platform/event-store';
import { type EvalReport } from '../../domain/evaluation';
import { type Asking } from '../../upgrade.decisions';

/** Record how an agent did. */
export class SubmitEval extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly report: EvalReport,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}
