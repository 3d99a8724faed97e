import { Body, Controller, Inject, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type RegistrationResponseJSON } from '@simplewebauthn/server';
import {
  answered,
  askedBy,
  authorize,
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
} from '#platform/edge';
import { answerBytes, answerOnce, EventStore } from '#platform/event-store';
import { BeginRegistration, RegisterCredential } from '../register-credential.handler';
import { type Registrant } from '../webauthn/credential-registration';

@Controller('kernel/approvers/:approverId/webauthn')
export class CredentialsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    private readonly store: EventStore,
  ) {}

  @Post('challenge')
  @Policy('approver.register-credential')
  async begin(
    @Param('approverId') approverId: string,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const answer = await answerOnce(this.store, context.idempotencyClaim(), async () =>
      answerBytes(201, await this.commands.execute(new BeginRegistration(registrantOf(approverId, caller)))),
    );
    return answered(context, answer);
  }

  @Post('credential')
  @Policy('approver.register-credential')
  async register(
    @Param('approverId') approverId: string,
    @Body() { response, keyId }: { response: RegistrationResponseJSON; keyId?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const made = { response, keyId: keyId ?? null };
    const answer = await this.commands.execute(
      new RegisterCredential(registrantOf(approverId, caller), made, askedBy(caller, context)),
    );
    return answered(context, answer);
  }
}

function registrantOf(approverId: string, caller: Principal): Registrant {
  const ownOnly = !authorize(caller, 'approver.register-credential').allowed;
  return { approverId, principal: caller.id, ownOnly };
}
