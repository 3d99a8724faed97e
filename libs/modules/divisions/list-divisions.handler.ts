import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Scope, scopedDivision } from '#platform/edge';
import { AuditIndex } from '#platform/audit-stream';
import { mapFew } from '#platform/event-store';
import { DivisionReader } from './division.reader';
import { divisionView } from './division.view';
import { divisionStream } from './domain/division';
import { type Division } from './get-division.handler';

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

/** The index says which exist; the chain gives the state of each. */
@QueryHandler(ListDivisions)
export class ListDivisionsHandler implements IQueryHandler<ListDivisions, DivisionPage> {
  constructor(
    private readonly index: AuditIndex,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ page, scope }: ListDivisions): Promise<DivisionPage> {
    const { events, nextCursor } = await this.index.query({
      type: 'division.registered',
      order: 'newest',
      ...page,
      ...scopedDivision(scope),
    });
    const ids = events.map(({ event }) => event.stream.slice(divisionStream('').length));
    const divisions = await mapFew(ids, async (id) => {
      const [division, account] = await Promise.all([this.reader.existing(id), this.reader.account(id)]);
      return divisionView(division.state, account.state);
    });
    return { divisions, nextCursor };
  }
}
