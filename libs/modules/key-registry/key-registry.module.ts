import { type DynamicModule, Inject, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SigningProxyClient } from '#platform/signer';
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
import { GetSignersHandler, GetTrustRootHandler } from './get-signers.handler';
import { BackendKeys } from './backend-keys';
import { KeyMetrics, SignatureMetrics } from './key.metrics';
import { KeyRegistryOptions } from './key-registry.options';
import { type KmsRequirement } from './kms-requirement';
import { ProxyManifestSigner, RegisteredKeyEventSigner } from './proxy-signers';
import { RegisteredSigners } from './registered-signers';
import { RegistrationStores } from './registration-stores';
import { RegistryChanges } from './registry-changes';
import { SigningKeys } from './signing-keys';

export interface KeyRegistryModuleOptions extends KeyRegistryOptions {
  readonly requirement: KmsRequirement;
}

/** Keys that sign, and keys that ever did. Needs EventStore, EventStores, Database, Registry, ModeSource, SigningProxyClient and WriteHold from global modules. */
@Module({})
export class KeyRegistryModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    @Inject(RegisteredKeyEventSigner) private readonly signer: RegisteredKeyEventSigner,
    @Inject(SigningKeys) private readonly keys: SigningKeys,
    @Inject(RegistryChanges) private readonly changes: RegistryChanges,
  ) {}

  static register({ requirement, ...options }: KeyRegistryModuleOptions): DynamicModule {
    return {
      module: KeyRegistryModule,
      imports: [CqrsModule],
      // Fixed paths first: `/kernel/keys/{kid}` matches them too.
      controllers: [KeyChangesController, KeysController, SecurityStatusController],
      providers: [
        { provide: KeyRegistryOptions, useValue: options },
        SignatureMetrics,
        KeyMetrics,
        RegistryChanges,
        {
          provide: BackendKeys,
          useFactory: (proxy: SigningProxyClient) => new BackendKeys(proxy, requirement, options.origin),
          inject: [SigningProxyClient],
        },
        RegistrationStores,
        RegisteredKeyEventSigner,
        ProxyManifestSigner,
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
        GetTrustRootHandler,
        GetCandidatesHandler,
      ],
      exports: [BackendKeys, ProxyManifestSigner, RegisteredKeyEventSigner, RegisteredSigners],
    };
  }

  /** The keys are folded from the store that signs with them: the signer learns of them when both exist. */
  onModuleInit(): void {
    this.signer.keys = this.keys;
  }

  async onModuleDestroy(): Promise<void> {
    await this.changes.close();
  }
}
