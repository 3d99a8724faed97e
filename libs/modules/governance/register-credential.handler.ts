import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type PublicKeyCredentialCreationOptionsJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { type Asking, type CommandAnswer } from '#platform/event-store';
import { CredentialRegistration, type Registrant } from './webauthn/credential-registration';

/** Begin to register a credential: returns the options that the browser passes to the authenticator. */
export class BeginRegistration extends Command<{
  options: PublicKeyCredentialCreationOptionsJSON;
  expiresAt: string;
}> {
  constructor(readonly registrant: Registrant) {
    super();
  }
}

/** Check and record the authenticator's response. */
export class RegisterCredential extends Command<CommandAnswer> {
  constructor(
    readonly registrant: Registrant,
    readonly made: { response: RegistrationResponseJSON; keyId: string | null },
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(BeginRegistration)
export class BeginRegistrationHandler implements ICommandHandler<BeginRegistration> {
  constructor(private readonly registration: CredentialRegistration) {}

  async execute({
    registrant,
  }: BeginRegistration): Promise<{ options: PublicKeyCredentialCreationOptionsJSON; expiresAt: string }> {
    return this.registration.begin(registrant);
  }
}

@CommandHandler(RegisterCredential)
export class RegisterCredentialHandler implements ICommandHandler<RegisterCredential, CommandAnswer> {
  constructor(private readonly registration: CredentialRegistration) {}

  async execute({ registrant, made, asking }: RegisterCredential): Promise<CommandAnswer> {
    return this.registration.complete(registrant, made, asking);
  }
}
