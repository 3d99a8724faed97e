import { Body, Controller, Get, Inject, Param, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { answered, Asking, type BytesAnswer, Policy } from '#platform/edge';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { CompromiseKey } from '../compromise-key.handler';
import { MakeKey } from '../make-key.handler';
import { RetireKey } from '../retire-key.handler';
import { RotateKey } from '../rotate-key.handler';
import { GetCandidates } from '../get-candidates.handler';

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
  async candidates(): Promise<contract.KeyCandidates> {
    return this.queries.execute(new GetCandidates());
  }

  @Post('candidates')
  @Policy('keys.manage')
  make(@Body() { purpose, kid }: contract.MakeKeyRequest, @Asking() asking: Asking): Promise<BytesAnswer> {
    return this.once(asking, () => this.commands.execute(new MakeKey(purpose, kid ?? null, asking)), 201);
  }

  @Post('rotate')
  @Policy('keys.manage')
  rotate(@Body() { purpose, to }: contract.RotateKeyRequest, @Asking() asking: Asking): Promise<BytesAnswer> {
    return this.once(asking, () => this.commands.execute(new RotateKey(purpose, to ?? null, asking)));
  }

  @Post(':kid/retire')
  @Policy('keys.manage')
  retire(
    @Param('kid') kid: string,
    @Body() { reason }: contract.KeyReason,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.once(asking, () => this.commands.execute(new RetireKey(kid, reason, asking)));
  }

  @Post(':kid/compromise')
  @Policy('keys.manage')
  compromise(
    @Param('kid') kid: string,
    @Body() body: contract.CompromiseKeyRequest,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { since, reason, emergencyKid = null, stayReadOnly = false } = body;
    return this.once(asking, () =>
      this.commands.execute(new CompromiseKey(kid, since, reason, emergencyKid, stayReadOnly, asking)),
    );
  }

  private async once(
    { idempotency }: Asking,
    change: () => Promise<object>,
    status = 200,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, idempotency, async () => answerBytes(status, await change()));
    return answered(answer);
  }
}
