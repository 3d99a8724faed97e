import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { assertOwn, type Scope } from '#platform/edge';
import { DivisionReader } from './division.reader';
import { divisionView } from './division.view';

export type Division = ReturnType<typeof divisionView>;

/** A division as it is now, or its manifest at an earlier version. */
export class GetDivision extends Query<Division> {
  constructor(
    readonly divisionId: string,
    readonly version: number | null,
    readonly scope: Scope,
  ) {
    super();
  }
}

@QueryHandler(GetDivision)
export class GetDivisionHandler implements IQueryHandler<GetDivision, Division> {
  constructor(private readonly reader: DivisionReader) {}

  async execute({ divisionId, version, scope }: GetDivision): Promise<Division> {
    assertOwn(scope, divisionId, 'This division');
    const [division, account] = await Promise.all([
      version === null
        ? this.reader.existing(divisionId).then(({ state }) => state)
        : this.reader.atVersion(divisionId, version),
      this.reader.account(divisionId),
    ]);
    return divisionView(division, account.state);
  }
}
