import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type divisionView } from '../../division.view';

export type Division = ReturnType<typeof divisionView>;

/** A division as it is, or its manifest as it was at an earlier version. */
export class GetDivision extends Query<Division> {
  constructor(
    readonly divisionId: string,
    readonly version: number | null,
    readonly scope: Scope,
  ) {
    super();
  }
}
