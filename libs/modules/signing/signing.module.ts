import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SignManifestHandler } from './sign-manifest.handler';
import { SigningController } from './http/signing.controller';
import { SigningOptions } from './signing.options';
import { VerifyManifestHandler } from './verify-manifest.handler';

/** Signs manifests and records each signature. Needs EventStore, ManifestSigner and SignerSource from global modules. */
@Module({})
export class SigningModule {
  static register(options: SigningOptions): DynamicModule {
    return {
      module: SigningModule,
      imports: [CqrsModule],
      controllers: [SigningController],
      providers: [{ provide: SigningOptions, useValue: options }, SignManifestHandler, VerifyManifestHandler],
    };
  }
}
