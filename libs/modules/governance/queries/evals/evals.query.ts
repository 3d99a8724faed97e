import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type EvalView } from '../../domain/evaluation';

export interface EvalPage {
  evals: EvalView[];
  nextCursor: string | null;
}

/** One page of evaluations, of an agent, of a division or of all, the newest first. */
export class ListEvals extends Query<EvalPage> {
  constructor(
    readonly filter: { agentId: string | null; divisionId: string | null },
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}
