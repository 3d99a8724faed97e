import { Body, Controller, Get, Inject, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { answered, Asking, type BytesAnswer, Policy } from '#platform/edge';
import { SetLegalHold } from '../set-legal-hold.handler';
import { ListLegalHolds } from '../list-legal-holds.handler';

@Controller('kernel/audit/legal-hold')
export class LegalHoldController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('retention.manage')
  async set(
    @Body() { hold, reason, ...target }: contract.HoldEvent | contract.HoldRange,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return answered(await this.commands.execute(new SetLegalHold(target, hold, reason, asking)));
  }

  @Get()
  @Policy('retention.read')
  async list(): Promise<{ legalHolds: contract.LegalHold[] }> {
    return { legalHolds: await this.queries.execute(new ListLegalHolds()) };
  }
}
