import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { AuditIndex } from '#platform/audit-stream';
import { allocationView } from '../../allocation.view';
import { DivisionReader } from '../../division.reader';
import { accountStream } from '../../domain/account';
import { assertOwn } from '../../own-division';
import { type AllocationPage, ListAllocations } from './allocations.query';

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
