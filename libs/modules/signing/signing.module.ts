import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SignManifestHandler } from './sign-manifest.handler';
import { SigningController } from './http/signing.controller';
import { VerifyManifestHandler } from './verify-manifest.handler';

/** Signs manifests and records each signature. Needs EventStore, ManifestSigner, SignerSource and SigningOptions from `imports`. */
@Module({})
export class SigningModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: SigningModule,
      imports: [CqrsModule, ...imports],
      controllers: [SigningController],
      providers: [SignManifestHandler, VerifyManifestHandler],
    };
  }
}
