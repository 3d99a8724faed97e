import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RegisterSignersHandler } from './register-signers.handler';
import { CompromiseKeyHandler } from './compromise-key.handler';
import { MakeKeyHandler } from './make-key.handler';
import { RetireKeyHandler } from './retire-key.handler';
import { RotateKeyHandler } from './rotate-key.handler';
import { KeyChangesController } from './http/key-changes.controller';
import { KeysController } from './http/keys.controller';
import { SecurityStatusController } from './http/security-status.controller';
import { KeyAgeWatch } from './key-age-watch';
import { KeyDecisions } from './key-decisions';
import { GetCandidatesHandler } from './get-candidates.handler';
import { GetSignersHandler } from './get-signers.handler';
import { RegisteredSigners } from './registered-signers';
import { SigningKeys } from './signing-keys';

/** Which keys sign, and which ever did. Needs EventStore and the ports of key-registry.ports.ts from `imports`. */
@Module({})
export class KeyRegistryModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: KeyRegistryModule,
      imports: [CqrsModule, ...imports],
      // Those with fixed paths first: `/kernel/keys/{kid}` fits them too.
      controllers: [KeyChangesController, KeysController, SecurityStatusController],
      providers: [
        RegisteredSigners,
        SigningKeys,
        KeyDecisions,
        KeyAgeWatch,
        RegisterSignersHandler,
        MakeKeyHandler,
        RotateKeyHandler,
        RetireKeyHandler,
        CompromiseKeyHandler,
        GetSignersHandler,
        GetCandidatesHandler,
      ],
      exports: [RegisteredSigners, SigningKeys, KeyAgeWatch],
    };
  }
}
