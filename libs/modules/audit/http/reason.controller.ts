import { Controller, Get, Headers, Inject, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { Policy, Scope } from '#platform/edge';
import { MIN_POSITION, PositionReached } from '#platform/audit-stream';
import { GetReason, type TraceDirection } from '../get-reason.handler';

@Controller('kernel/reason')
export class ReasonController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Get(':node')
  @Policy('audit.read')
  async reason(
    @Param('node') node: string,
    @Query() { direction, depth = null }: { direction: TraceDirection; depth?: number | null },
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<contract.ReasonTrace> {
    // Events name their causes, and the store has the events; effects must be searched in the index.
    await (direction === 'causes'
      ? this.position.committed(minPosition)
      : this.position.indexed(minPosition));
    return this.queries.execute(new GetReason(node, scope, direction, depth));
  }
}
