import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { DivisionReader } from '../../division.reader';
import { divisionView } from '../../division.view';
import { assertOwn } from '../../own-division';
import { type Division, GetDivision } from './division.query';

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
