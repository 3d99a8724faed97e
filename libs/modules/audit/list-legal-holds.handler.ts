import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type LegalHold } from '#openapi/kernel';
import { LegalHoldList } from './legal-hold-list';

/** Holds on archived events, the newest first. */
export class ListLegalHolds extends Query<LegalHold[]> {}

/** Holds are decisions of persons, a handful a year. */
const MOST = 1_000;

@QueryHandler(ListLegalHolds)
export class ListLegalHoldsHandler implements IQueryHandler<ListLegalHolds, LegalHold[]> {
  constructor(private readonly holds: LegalHoldList) {}

  async execute(): Promise<LegalHold[]> {
    return this.holds.list(MOST);
  }
}
