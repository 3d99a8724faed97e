import { Body, Controller, Inject, Post } from '@nestjs/common';
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
  Scope,
} from '#platform/edge';
import { type JsonObject, type JsonValue } from '#evidence';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { SignManifest, type SignRequest } from '../sign-manifest.handler';
import { VerifyManifest } from '../verify-manifest.handler';

@Controller('kernel')
export class SigningController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(EventStore) private readonly store: EventStore,
  ) {}

  @Post('sign')
  @Policy('manifest.sign')
  async sign(
    @Body() request: SignRequest,
    @Caller() caller: Principal,
    @Scope() scope: Scope,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const answer = await this.commands.execute(new SignManifest(request, scope, askedBy(caller, context)));
    return answered(context, answer);
  }

  @Post('verify')
  @Policy('manifest.verify')
  async verify(
    @Body() { manifest, envelope }: { manifest: JsonObject; envelope: JsonValue },
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, context.idempotencyClaim(), async () =>
      answerBytes(200, await this.queries.execute(new VerifyManifest(manifest, envelope))),
    );
    return answered(context, answer);
  }
}
