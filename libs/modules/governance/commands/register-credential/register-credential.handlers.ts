import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import { type CommandAnswer } from '#platform/event-store';
import { CredentialRegistration } from '../../webauthn/credential-registration';
import { BeginRegistration, RegisterCredential } from './register-credential.command';

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
