import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type allocationView } from '../../allocation.view';

export interface AllocationPage {
  allocations: ReturnType<typeof allocationView>[];
  nextCursor: string | null;
}

/** One page of what a division's budget was granted to and released by, the newest first. */
export class ListAllocations extends Query<AllocationPage> {
  constructor(
    readonly divisionId: string,
    readonly page: { cursor?: string; limit: number },
    readonly scope: Scope,
  ) {
    super();
  }
}
