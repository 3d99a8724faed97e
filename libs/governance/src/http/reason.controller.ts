import { Controller, Get, Headers, Inject, Param } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Policy, Scope } from '#libs/access';
import { PositionReached } from '#libs/audit-index';
import { GetReason, type ReasonTrace } from '../queries/reason/reason.query';
import { MIN_POSITION } from './requests';

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
    @Scope() scope: Scope,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<ReasonTrace> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetReason(node, scope));
  }
}
