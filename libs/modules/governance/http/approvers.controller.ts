import { Body, Controller, Get, Headers, Inject, Param, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  authorize,
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
  answered,
  askedBy,
  MIN_POSITION,
} from '#platform/edge';
import { PositionReached } from '#platform/audit-stream';
import { RevokeApproverKey } from '../revoke-approver-key.handler';
import { type Approvers, GetApprovers } from '../get-approvers.handler';

@Controller('kernel/approvers')
export class ApproversController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Get()
  @Policy('upgrade.read')
  async approvers(@Headers(MIN_POSITION) minPosition?: string): Promise<Approvers> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetApprovers());
  }

  @Post(':approverId/keys/:keyId/revoke')
  @Policy('approver.revoke-key')
  async revokeKey(
    @Param() { approverId, keyId }: { approverId: string; keyId: string },
    @Body() { reason }: { reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const ownOnly = !authorize(caller, 'approver.revoke-key').allowed;
    const command = new RevokeApproverKey(approverId, keyId, reason, ownOnly, askedBy(caller, context));
    return answered(context, await this.commands.execute(command));
  }
}
