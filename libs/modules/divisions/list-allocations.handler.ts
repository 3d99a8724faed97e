import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type AllocationPage } from '#openapi/kernel';
import { AuditIndex } from '#platform/audit-stream';
import { assertOwn, type Scope } from '#platform/edge';
import { allocationView } from './allocation.view';
import { DivisionReader } from './division.reader';
import { accountStream } from './domain/account';

/** One page of the grants and releases of a division's budget, the newest first. */
export class ListAllocations extends Query<AllocationPage> {
  constructor(
    readonly divisionId: string,
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}

@QueryHandler(ListAllocations)
export class ListAllocationsHandler implements IQueryHandler<ListAllocations, AllocationPage> {
  constructor(
    private readonly index: AuditIndex,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ divisionId, page, scope }: ListAllocations): Promise<AllocationPage> {
    assertOwn(scope, divisionId, 'This budget');
    await this.reader.existing(divisionId);
    const stream = accountStream(divisionId);
    const { events, nextCursor } = await this.index.query({ stream, order: 'newest', ...page });
    return { allocations: events.map(({ event }) => allocationView(event)), nextCursor };
  }
}
