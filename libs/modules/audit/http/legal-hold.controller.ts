import { Body, Controller, Get, Inject, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  answered,
  askedBy,
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
} from '#platform/edge';
import { SetLegalHold } from '../set-legal-hold.handler';
import { type EventRange } from '../domain/legal-hold.decider';
import { type LegalHold } from '../legal-hold-list';
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
    @Body() body: ({ eventId: string } | EventRange) & { hold: boolean; reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const target =
      'eventId' in body
        ? { eventId: body.eventId }
        : { shard: body.shard, fromSeq: body.fromSeq, toSeq: body.toSeq };
    const answer = await this.commands.execute(
      new SetLegalHold(target, body.hold, body.reason, askedBy(caller, context)),
    );
    return answered(context, answer);
  }

  @Get()
  @Policy('retention.read')
  async list(): Promise<{ legalHolds: LegalHold[] }> {
    return { legalHolds: await this.queries.execute(new ListLegalHolds()) };
  }
}
