import { type DynamicModule, Module } from '@nestjs/common';
import { CheckpointSigner } from './checkpoints/checkpoint-signer';
import { CheckpointsController } from './checkpoints/checkpoints.controller';
import { RateLimit } from './clients/rate-limit';
import { SigningClients } from './clients/signing-clients';
import { guardBackends } from './guard-backends';
import { HeldKeys } from './keys/held-keys';
import { KeyMaking } from './keys/key-making';
import { KeysController } from './keys/keys.controller';
import { MarksController } from './marks/marks.controller';
import { BackendsHealth } from './public/backends-health';
import { PublicController } from './public/public.controller';
import { BatchSigner } from './sign/batch-signer';
import { SignController } from './sign/sign.controller';
import { SigningMetrics, signingMetricsProviders } from './signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from './signing-proxy.options';

@Module({})
export class SigningProxyModule {
  static forRoot(options: SigningProxyOptions): DynamicModule {
    return {
      module: SigningProxyModule,
      controllers: [SignController, KeysController, PublicController, MarksController, CheckpointsController],
      providers: [
        {
          provide: SIGNING_PROXY_OPTIONS,
          useFactory: (metrics: SigningMetrics): SigningProxyOptions => ({
            ...options,
            backends: guardBackends(options, metrics),
          }),
          inject: [SigningMetrics],
        },
        { provide: SigningClients, useFactory: () => new SigningClients(options.clients) },
        // One for all routes: what a client may have in a second is counted together.
        { provide: RateLimit, useFactory: () => new RateLimit(options.clients) },
        KeyMaking,
        HeldKeys,
        BatchSigner,
        CheckpointSigner,
        BackendsHealth,
        ...signingMetricsProviders,
      ],
    };
  }
}
