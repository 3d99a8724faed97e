import { Command } from '@nestjs/cqrs';
import {
  type PublicKeyCredentialCreationOptionsJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { type CommandAnswer } from '#platform/event-store';
import { type Asking } from '../../upgrade.decisions';
import { type Registrant } from '../../webauthn/credential-registration';

/** Begin to register a credential: what the browser hands to the authenticator. */
export class BeginRegistration extends Command<{
  options: PublicKeyCredentialCreationOptionsJSON;
  expiresAt: string;
}> {
  constructor(readonly registrant: Registrant) {
    super();
  }
}

/** Check and record what the authenticator made. */
export class RegisterCredential extends Command<CommandAnswer> {
  constructor(
    readonly registrant: Registrant,
    readonly made: { response: RegistrationResponseJSON; keyId: string | null },
    readonly asking: Asking,
  ) {
    super();
  }
}
