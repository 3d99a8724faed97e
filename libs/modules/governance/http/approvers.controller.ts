import { Body, Controller, Get, Inject, Param, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { answered, Asking, authorize, type BytesAnswer, Policy } from '#platform/edge';
import { ReadsStore } from '#platform/audit-stream';
import { RevokeApproverKey } from '../revoke-approver-key.handler';
import { GetApprovers } from '../get-approvers.handler';

@Controller('kernel/approvers')
export class ApproversController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Get()
  @Policy('upgrade.read')
  @ReadsStore()
  async approvers(): Promise<contract.Approvers> {
    return this.queries.execute(new GetApprovers());
  }

  @Post(':approverId/keys/:keyId/revoke')
  @Policy('approver.revoke-key')
  async revokeKey(
    @Param() { approverId, keyId }: { approverId: string; keyId: string },
    @Body() { reason }: contract.Reason,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const ownOnly = !authorize(asking.caller, 'approver.revoke-key').allowed;
    const command = new RevokeApproverKey(approverId, keyId, reason, ownOnly, asking);
    return answered(await this.commands.execute(command));
  }
}
