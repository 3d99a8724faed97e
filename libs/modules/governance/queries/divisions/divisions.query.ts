import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type Division } from '../division/division.query';

export interface DivisionPage {
  divisions: Division[];
  nextCursor: string | null;
}

/** One page of divisions, the newest first, each as it is now. */
export class ListDivisions extends Query<DivisionPage> {
  constructor(
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}
