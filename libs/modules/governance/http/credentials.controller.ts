import { Body, Controller, Inject, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type RegistrationResponseJSON } from '@simplewebauthn/server';
import { answered, Asking, authorize, type BytesAnswer, Policy } from '#platform/edge';
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
  async begin(@Param('approverId') approverId: string, @Asking() asking: Asking): Promise<BytesAnswer> {
    const command = new BeginRegistration(registrantOf(approverId, asking));
    const answer = await answerOnce(this.store, asking.idempotency, async () =>
      answerBytes(201, await this.commands.execute(command)),
    );
    return answered(answer);
  }

  @Post('credential')
  @Policy('approver.register-credential')
  async register(
    @Param('approverId') approverId: string,
    @Body() { response, keyId }: { response: RegistrationResponseJSON; keyId?: string },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const made = { response, keyId: keyId ?? null };
    const command = new RegisterCredential(registrantOf(approverId, asking), made, asking);
    return answered(await this.commands.execute(command));
  }
}

function registrantOf(approverId: string, { caller }: Asking): Registrant {
  const ownOnly = !authorize(caller, 'approver.register-credential').allowed;
  return { approverId, principal: caller.id, ownOnly };
}
