import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RegisterSignersHandler } from './commands/register-signers/register-signers.handler';
import { KeysController } from './http/keys.controller';
import { SecurityStatusController } from './http/security-status.controller';
import { GetSignersHandler } from './queries/signers/signers.handler';
import { RegisteredSigners } from './registered-signers';
import { SigningKeys } from './signing-keys';

/** Which keys sign, and which ever did. Needs EventStore and the ports of key-registry.ports.ts from `imports`. */
@Module({})
export class KeyRegistryModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: KeyRegistryModule,
      imports: [CqrsModule, ...imports],
      controllers: [KeysController, SecurityStatusController],
      providers: [RegisteredSigners, SigningKeys, RegisterSignersHandler, GetSignersHandler],
      exports: [RegisteredSigners, SigningKeys],
    };
  }
}
