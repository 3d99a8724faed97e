import { Body, Controller, Get, Inject, Param, Post } from '@nestjs/common';
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
import { type SignerPurpose } from '#evidence';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { CompromiseKey, type Since } from '../compromise-key.handler';
import { MakeKey } from '../make-key.handler';
import { RetireKey } from '../retire-key.handler';
import { RotateKey } from '../rotate-key.handler';
import { type Candidates, GetCandidates } from '../get-candidates.handler';

/** Changes of the registry by a SuperAdmin; one that needs several people is an upgrade (libs/modules/governance). */
@Controller('kernel/keys')
export class KeyChangesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly store: EventStore,
  ) {}

  @Get('candidates')
  @Policy('keys.read')
  async candidates(): Promise<Candidates> {
    return this.queries.execute(new GetCandidates());
  }

  @Post('candidates')
  @Policy('keys.manage')
  make(
    @Body() { purpose, kid }: { purpose: SignerPurpose; kid?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.once(
      context,
      () => this.commands.execute(new MakeKey(purpose, kid ?? null, askedBy(caller, context))),
      201,
    );
  }

  @Post('rotate')
  @Policy('keys.manage')
  rotate(
    @Body() { purpose, to }: { purpose: SignerPurpose; to?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.once(context, () =>
      this.commands.execute(new RotateKey(purpose, to ?? null, askedBy(caller, context))),
    );
  }

  @Post(':kid/retire')
  @Policy('keys.manage')
  retire(
    @Param('kid') kid: string,
    @Body() { reason }: { reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.once(context, () =>
      this.commands.execute(new RetireKey(kid, reason, askedBy(caller, context))),
    );
  }

  @Post(':kid/compromise')
  @Policy('keys.manage')
  compromise(
    @Param('kid') kid: string,
    @Body()
    body: { since: Since; reason: string; emergencyKid?: string; stayReadOnly?: boolean },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const { since, reason, emergencyKid = null, stayReadOnly = false } = body;
    return this.once(context, () =>
      this.commands.execute(
        new CompromiseKey(kid, since, reason, emergencyKid, stayReadOnly, askedBy(caller, context)),
      ),
    );
  }

  private async once(
    context: RequestContext,
    change: () => Promise<object>,
    status = 200,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, context.idempotencyClaim(), async () =>
      answerBytes(status, await change()),
    );
    return answered(context, answer);
  }
}
