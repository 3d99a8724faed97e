import { Body, Controller, Inject, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { answered, Asking, type BytesAnswer, Policy } from '#platform/edge';
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
  async sign(@Body() request: SignRequest, @Asking() asking: Asking): Promise<BytesAnswer> {
    const answer = await this.commands.execute(new SignManifest(request, asking.scope, asking));
    return answered(answer);
  }

  @Post('verify')
  @Policy('manifest.verify')
  async verify(
    @Body() { manifest, envelope }: { manifest: JsonObject; envelope: JsonValue },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, asking.idempotency, async () =>
      answerBytes(200, await this.queries.execute(new VerifyManifest(manifest, envelope))),
    );
    return answered(answer);
  }
}
